// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/** A row of a Markdown table: median, 95 % and worst of some times in ms. */
export function row(title: string, values: number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string =>
    sorted[
      Math.min(sorted.length - 1, Math.floor(sorted.length * share))
    ].toFixed(1);
  return `| ${title} | ${at(0.5)} ms | ${at(0.95)} ms | ${at(1)} ms |`;
}
