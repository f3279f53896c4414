// Read with the package `prometheus-query`, configured in `client.mjs`.
// Reads the ends of a range, in seconds. Prints what each method returns, as JSON.

import { client } from "./client.mjs";

const [start, end] = process.argv.slice(2).map((text) => 1000 * Number(text));
const selector = ["demo_disk_size_bytes", 'demo_requests_total{path="/a"}'];

const found = {
  query: (await client.instantQuery("sum(demo_requests_total)", end)).result,
  range: (await client.rangeQuery("demo_requests_total", start, end, 60)).result,
  series: await client.series(selector, start, end),
  labels: await client.labelNames(selector, start, end),
  values: await client.labelValues("room"),
  rules: await client.rules(),
  alerts: await client.alerts(),
  targets: await client.targets(),
  alertmanagers: await client.alertmanagers(),
  metadata: await client.metadata(),
  build: await client.statusBuildinfo(),
  error: await client.instantQuery("sum(").catch((error) => error.prometheus),
};
console.log(JSON.stringify(found));
