// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * MLflow's list of runs, measured as the explorer is (explorer.spec.ts). `benchmarks/panels.py` makes the
 * runs, starts MLflow's server and says where it is; without it there is nothing to do here.
 */

import type { Page } from '@playwright/test';
import { expect, test } from '@playwright/test';

import { row } from './figures';

const URL = process.env.DOTSCIENCE_BENCH_MLFLOW ?? '';
const RUNS = Number(process.env.DOTSCIENCE_BENCH_RUNS ?? 100000);
const TIMES = 5;
const PATIENCE = 60000;

/** The names of the runs on the screen. */
async function shown(page: Page): Promise<string> {
  return (
    await page.getByRole('link', { name: /^run \d+$/ }).allTextContents()
  ).join();
}

/** Do something, and measure until other runs are shown, in ms. */
async function change(page: Page, act: () => Promise<void>): Promise<number> {
  const before = await shown(page);
  const start = Date.now();
  await act();
  await expect
    .poll(
      async () => {
        const now = await shown(page);
        return now !== '' && now !== before;
      },
      { timeout: PATIENCE, intervals: [20] }
    )
    .toBe(true);
  return Date.now() - start;
}

test('a list of many runs in MLflow', async ({ page }) => {
  test.skip(URL === '', 'no MLflow server was started');
  test.setTimeout(1200000);
  const opened: number[] = [];
  for (let n = 0; n < TIMES; n++) {
    await page.goto('about:blank');
    const start = Date.now();
    await page.goto(`${URL}/#/experiments/0/runs`);
    await page
      .getByRole('link', { name: /^run \d+$/ })
      .first()
      .waitFor({ timeout: PATIENCE });
    opened.push(Date.now() - start);
  }

  const sorted: number[] = [];
  for (const key of ['accuracy', 'loss', 'f1', 'model', 'rmse']) {
    await page.getByRole('button', { name: /^Sort/ }).click();
    await page.getByPlaceholder('Search').last().fill(key);
    const item = page.getByRole('menuitemcheckbox', { name: key }).first();
    sorted.push(await change(page, () => item.click()));
  }

  const filtered: number[] = [];
  const search = page.getByPlaceholder(/metrics\.rmse/);
  for (const where of [
    'metrics.accuracy > 0.9',
    "params.model = 'svm'",
    "metrics.f1 > 0.8 and params.optimizer = '7'",
    "attributes.run_name LIKE '%99%'",
    ''
  ]) {
    await search.fill(where);
    filtered.push(await change(page, () => search.press('Enter')));
  }

  const frames = page.evaluate(
    () =>
      new Promise<number[]>(resolve => {
        const times: number[] = [];
        let last = performance.now();
        const next = (now: number): void => {
          times.push(now - last);
          last = now;
          if (times.length < 150) {
            requestAnimationFrame(next);
          } else {
            resolve(times.slice(1));
          }
        };
        requestAnimationFrame(next);
      })
  );
  await page
    .getByRole('link', { name: /^run \d+$/ })
    .first()
    .hover();
  for (let n = 0; n < 60; n++) {
    await page.mouse.wheel(0, 40);
  }
  const scrolled = await frames;

  console.log(
    [
      '',
      `MLflow's list of ${RUNS} runs, of which it loads 100 at a time`,
      '',
      '| | median | 95 % | worst |',
      '|---|---|---|---|',
      row('opened with its page → first rows', opened),
      row('sorted → first rows', sorted),
      row('filtered → first rows', filtered),
      row('a frame while scrolling the 100 runs', scrolled)
    ].join('\n')
  );
});
