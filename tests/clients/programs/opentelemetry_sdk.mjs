// Measure with OpenTelemetry's SDK for Node.js and export by OTLP, as the environment says.
// Arguments: `proto` or `http` (JSON), and for how many seconds. It exports every 200 ms, and
// prints a JSON object for each data point, and one with the result after those of an export.

import { DataPointType, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { resourceFromAttributes } from "@opentelemetry/resources";

const [encoding, seconds] = process.argv.slice(2);
const { OTLPMetricExporter } = await import(`@opentelemetry/exporter-metrics-otlp-${encoding}`);

const nanoseconds = ([whole, rest]) => `${BigInt(whole) * 1000000000n + BigInt(rest)}`;

function described(metric, point) {
  const fields = { name: metric.descriptor.name, time: nanoseconds(point.endTime), attributes: point.attributes };
  if (metric.dataPointType !== DataPointType.HISTOGRAM) return { ...fields, value: point.value };
  const { buckets, count, sum, min, max } = point.value;
  return { ...fields, count, sum, min, max, bucket_counts: buckets.counts, explicit_bounds: buckets.boundaries };
}

class Printing extends OTLPMetricExporter {
  export(metrics, done) {
    for (const scope of metrics.scopeMetrics)
      for (const metric of scope.metrics)
        for (const point of metric.dataPoints) console.log(JSON.stringify(described(metric, point)));
    super.export(metrics, (result) => {
      console.log(JSON.stringify({ result: result.code === 0 ? "SUCCESS" : `${result.error}` }));
      done(result);
    });
  }
}

const provider = new MeterProvider({
  resource: resourceFromAttributes({ "service.name": "shop", "service.namespace": "web", "process.pid": 1 }),
  readers: [new PeriodicExportingMetricReader({ exporter: new Printing(), exportIntervalMillis: 200, exportTimeoutMillis: 150 })],
});
const meter = provider.getMeter("checkout", "1.0");
const orders = meter.createCounter("orders.placed");
const queue = meter.createUpDownCounter("queue.length");
const latency = meter.createHistogram("latency");
const gauge = meter.createGauge("temperature");
const attributes = { text: "naïve", number: 7, share: 0.25, flag: true, empty: "", list: ["a", "b"], control: "a\nb", "9digit space": "x" };
let number = 0;
const timer = setInterval(() => {
  number += 1;
  orders.add(number, attributes);
  queue.add(number % 3 ? 1 : -2, { shard: `${number % 5}` });
  latency.record((number % 400) + 0.5, { route: "/" });
  latency.record((number % 400) + 0.5, { route: "too long".repeat(200) });
  gauge.record(number % 7 ? number / 8 : -0.5, { room: `${number % 4}` });
}, 20);
setTimeout(async () => {
  clearInterval(timer);
  await provider.shutdown();
}, seconds * 1000);
