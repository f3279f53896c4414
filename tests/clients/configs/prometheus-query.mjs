import { PrometheusDriver } from "prometheus-query";

export const client = new PrometheusDriver({
  endpoint: "http://127.0.0.1:8000/organizations/gilt/prometheus",
  headers: { Authorization: "Bearer cave_YOUR_TOKEN" },
});
