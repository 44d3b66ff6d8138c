// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { RunDetail, RunFile } from '../api/schema';
import type { EnvironmentFact, IEnvironment } from '../run/environment';
import { ENVIRONMENT_FACTS, readEnvironment } from '../run/environment';
import type { Scalar } from '../run/format';
import { asNumber } from '../run/format';

/**
 * A named value of two runs; `undefined` where a run does not have it.
 */
export interface IComparedValue {
  /**
   * The name.
   */
  name: string;

  /**
   * The value of the first run.
   */
  a: Scalar | undefined;

  /**
   * The value of the second run.
   */
  b: Scalar | undefined;

  /**
   * Whether both runs have it and it is the same.
   */
  same: boolean;
}

/**
 * A metric of two runs.
 */
export interface IComparedMetric extends IComparedValue {
  /**
   * The second value less the first, where both are finite numbers.
   */
  delta: number | null;

  /**
   * The difference as a part of the first value, where that is not zero.
   */
  relative: number | null;

  /**
   * Whether the first run has more points than the final value.
   */
  seriesA: boolean;

  /**
   * Whether the second run has more points than the final value.
   */
  seriesB: boolean;
}

/**
 * A file that at least one of two runs declared.
 */
export interface IComparedFile {
  /**
   * Its path.
   */
  path: string;

  /**
   * As the first run had it.
   */
  a: RunFile | undefined;

  /**
   * As the second run had it.
   */
  b: RunFile | undefined;

  /**
   * Whether the content was the same; null where that is not known.
   */
  same: boolean | null;
}

/**
 * What two runs were run in.
 */
export interface IComparedEnvironment {
  /**
   * Interpreter, machine, Git and image.
   */
  facts: (Omit<IComparedValue, 'name'> & { name: EnvironmentFact })[];

  /**
   * Installed distributions.
   */
  packages: IComparedValue[];
}

/**
 * Two runs side by side.
 */
export interface IRunComparison {
  /**
   * Parameters, by name.
   */
  parameters: IComparedValue[];

  /**
   * Metrics, by name.
   */
  metrics: IComparedMetric[];

  /**
   * Labels, by name.
   */
  labels: IComparedValue[];

  /**
   * Seeds, by name.
   */
  seeds: IComparedValue[];

  /**
   * Inputs, by path.
   */
  inputs: IComparedFile[];

  /**
   * Outputs, by path.
   */
  outputs: IComparedFile[];

  /**
   * Environments.
   */
  environment: IComparedEnvironment;
}

/**
 * Put two runs side by side.
 *
 * @param a - The first run, which differences start from.
 * @param b - The second run.
 */
export function compareRuns(a: RunDetail, b: RunDetail): IRunComparison {
  return {
    parameters: compareMaps(a.parameters, b.parameters),
    metrics: compareMetrics(a, b),
    labels: compareMaps(a.labels, b.labels),
    seeds: compareMaps(a.seeds, b.seeds),
    inputs: compareFiles(a.inputs, b.inputs),
    outputs: compareFiles(a.outputs, b.outputs),
    environment: compareEnvironments(
      readEnvironment(a.environment),
      readEnvironment(b.environment)
    )
  };
}

function compareMaps(
  a: Record<string, Scalar>,
  b: Record<string, Scalar>
): IComparedValue[] {
  return unionOf(Object.keys(a), Object.keys(b)).map(name => {
    const x = own(a, name);
    const y = own(b, name);
    return { name, a: x, b: y, same: x !== undefined && equal(x, y) };
  });
}

function compareMetrics(a: RunDetail, b: RunDetail): IComparedMetric[] {
  const seriesA = new Set(a.series.map(info => info.name));
  const seriesB = new Set(b.series.map(info => info.name));
  const names = unionOf(
    [...Object.keys(a.metrics), ...seriesA],
    [...Object.keys(b.metrics), ...seriesB]
  );
  return names.map(name => {
    const x = own(a.metrics, name);
    const y = own(b.metrics, name);
    const delta = difference(asNumber(x), asNumber(y));
    const base = asNumber(x);
    return {
      name,
      a: x,
      b: y,
      same: x !== undefined && equal(x, y),
      delta,
      relative:
        delta !== null && base !== null && base !== 0
          ? delta / Math.abs(base)
          : null,
      seriesA: seriesA.has(name),
      seriesB: seriesB.has(name)
    };
  });
}

function compareFiles(a: RunFile[], b: RunFile[]): IComparedFile[] {
  const filesA = new Map(a.map(file => [file.path, file]));
  const filesB = new Map(b.map(file => [file.path, file]));
  return unionOf([...filesA.keys()], [...filesB.keys()]).map(path => {
    const x = filesA.get(path);
    const y = filesB.get(path);
    return { path, a: x, b: y, same: x && y ? sameContent(x, y) : false };
  });
}

function compareEnvironments(
  a: IEnvironment,
  b: IEnvironment
): IComparedEnvironment {
  return {
    facts: ENVIRONMENT_FACTS.filter(
      name => a.facts[name] !== undefined || b.facts[name] !== undefined
    ).map(name => ({
      name,
      a: a.facts[name],
      b: b.facts[name],
      same: a.facts[name] === b.facts[name]
    })),
    packages: compareMaps(a.packages, b.packages)
  };
}

function sameContent(a: RunFile, b: RunFile): boolean | null {
  if (a.digest && b.digest) {
    return a.digest === b.digest;
  }
  if (a.size !== null && b.size !== null && a.size !== b.size) {
    return false;
  }
  return a.version && a.version === b.version ? true : null;
}

function difference(a: number | null, b: number | null): number | null {
  if (a === null || b === null) {
    return null;
  }
  const delta = b - a;
  return Number.isFinite(delta) ? delta : null;
}

function equal(a: Scalar | undefined, b: Scalar | undefined): boolean {
  return Object.is(a, b) || a === b;
}

function own<T>(values: Record<string, T>, name: string): T | undefined {
  return Object.prototype.hasOwnProperty.call(values, name)
    ? values[name]
    : undefined;
}

function unionOf(a: string[], b: string[]): string[] {
  return [...new Set([...a, ...b])].sort((x, y) =>
    x.localeCompare(y, undefined, { numeric: true, sensitivity: 'base' })
  );
}
