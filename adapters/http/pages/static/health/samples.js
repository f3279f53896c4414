// What was asked while one watches: the samples of the last minutes, kept in memory.

const KEPT = 10 * 60_000;
const LONGEST_STEP = 20_000;

// A ring of samples: numbers by name, at times in milliseconds since the epoch.
export class Samples {
  #samples = [];

  // Add a sample. After a longer pause, such as while the page was hidden, the lines have a gap.
  add(time, values) {
    const last = this.#samples.at(-1);
    if (last !== undefined && time - last.time > LONGEST_STEP) this.#samples.push({ time: last.time + 1, values: {} });
    this.#samples.push({ time, values });
    this.#samples = this.#samples.filter((sample) => time - sample.time <= KEPT);
  }

  // Return `{times, series}` with these names as labels, for a plot.
  columns(names) {
    return {
      times: this.#samples.map(({ time }) => time),
      series: names.map((label) => ({ label, values: this.#samples.map(({ values }) => values[label] ?? null) })),
    };
  }
}
