/**
 * Prometheus' text format, read strictly: what a scraper and `promtool check metrics` would complain of throws here.
 *
 * By the format's own description (text format 0.0.4) and the naming conventions; knows nothing of our metrics.
 */

export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

export type Metric = {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
};

const NAME = /^[a-z_][a-z0-9_]*$/;
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;
const TYPES = new Set(["counter", "gauge", "histogram"]);

export function parseExposition(text: string): ReadonlyMap<string, Metric> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const metrics = new Map<string, Metric & { samples: Sample[] }>();
  let help: readonly [name: string, text: string] | undefined;
  let now: (Metric & { samples: Sample[] }) | undefined;
  for (const line of text.split("\n").filter((one) => one !== "")) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (keyword === "HELP") help = [name, rest];
    else if (keyword === "TYPE") {
      if (help?.[0] !== name || help[1] === "") throw new Error(`${name} has no help before it`);
      if (metrics.has(name)) throw new Error(`${name} is there twice`);
      now = { name, help: help[1], type: rest, samples: [] };
      metrics.set(name, now);
    } else now?.samples.push(sampleOf(line, now));
  }
  for (const metric of metrics.values()) judge(metric);
  return metrics;
}

function sampleOf(line: string, metric: Metric): Sample {
  const [, name = "", inside = "", number = ""] = LINE.exec(line) ?? [];
  const suffixes = metric.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  if (!suffixes.some((one) => name === metric.name + one)) throw new Error(`no sample: ${line}`);
  const value = number === "+Inf" ? Number.POSITIVE_INFINITY : Number(number);
  if (Number.isNaN(value)) throw new Error(`no number: ${line}`);
  const labels: Record<string, string> = {};
  let end = 0;
  for (LABEL.lastIndex = 0; LABEL.lastIndex < inside.length; end = LABEL.lastIndex) {
    const found = LABEL.exec(inside);
    if (found === null) throw new Error(`labels end at ${end}: ${line}`);
    const [, key = "", escaped = ""] = found;
    labels[key] = escaped.replaceAll(/\\(.)/g, (_, one: string) => (one === "n" ? "\n" : one));
  }
  return { name, labels, value };
}

function judge({ name, type, samples }: Metric): void {
  if (!NAME.test(name)) throw new Error(`${name} is no name`);
  if (!TYPES.has(type)) throw new Error(`${name} has type ${type}`);
  if ((type === "counter") !== name.endsWith("_total")) {
    throw new Error(`${name}: counters, and nothing else, end with _total`);
  }
  if (/_(?:millis|ms|minutes|hours|kb|mb|octets|percent)(?:_|$)/.test(name)) {
    throw new Error(`${name}: the units are seconds and bytes`);
  }
  const series = samples.map((one) => JSON.stringify([one.name, one.labels]));
  if (new Set(series).size !== series.length) throw new Error(`${name} has a series twice`);
  if (type === "histogram") judgeBuckets(name, samples);
}

function judgeBuckets(name: string, samples: readonly Sample[]): void {
  const buckets = samples.filter((one) => one.name === `${name}_bucket`);
  const count = samples.find((one) => one.name === `${name}_count`)?.value;
  const last = buckets.at(-1);
  const isRising = buckets.every(({ value }, i) => value >= (buckets[i - 1]?.value ?? 0));
  if (!isRising || last?.labels.le !== "+Inf" || last.value !== count) {
    throw new Error(`${name} is no histogram: ${JSON.stringify(samples)}`);
  }
}
