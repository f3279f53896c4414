// A load test without a target: 40 iterations, with a counter and a trend of its own.

import { sleep } from "k6";
import { Counter, Trend } from "k6/metrics";

export const options = { vus: 2, iterations: 40 };

const orders = new Counter("orders");
const latency = new Trend("latency");

export default function () {
  orders.add(3, { shop: "web" });
  latency.add(__ITER + 0.5);
  sleep(0.1);
}
