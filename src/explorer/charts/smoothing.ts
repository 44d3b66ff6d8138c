// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Smooth a series by an exponential moving average without bias towards 0 at its beginning.
 *
 * @param values - The series; what is no number is a gap
 * @param weight - Weight of what came before, from 0 (nothing is smoothed) to below 1
 *
 * #### Notes
 * With `m_t = w m_(t-1) + (1 - w) x_t` and `m_0 = 0`, the value is `m_t / (1 - w^t)` (the bias
 * correction of Kingma and Ba, "Adam", 2015, section 3; TensorBoard smooths alike).
 */
export function smooth(
  values: readonly (number | null)[],
  weight: number
): (number | null)[] {
  if (weight <= 0) {
    return [...values];
  }
  let mean = 0;
  let share = 1;
  return values.map(value => {
    if (value === null || !Number.isFinite(value)) {
      return null;
    }
    mean = weight * mean + (1 - weight) * value;
    share *= weight;
    return mean / (1 - share);
  });
}
