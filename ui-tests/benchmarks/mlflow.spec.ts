// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * MLflow's list of runs, measured as the explorer is (explorer.spec.ts). `benchmarks/panels.py` makes the
 * runs, starts MLflow's server and says where it is; without it there is nothing to do here.
 */

import type { Page } from '@playwright/test';
import { test } from '@playwright/test';

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

/** Do something, and measure until other runs are shown, in ms; null if that takes too long. */
async function change(
  page: Page,
  act: () => Promise<void>
): Promise<number | null> {
  const before = await shown(page);
  const start = Date.now();
  await act();
  while (Date.now() - start < PATIENCE) {
    const now = await shown(page);
    if (now !== '' && now !== before) {
      return Date.now() - start;
    }
    await page.waitForTimeout(20);
  }
  return null;
}

/** A row of the table, of measurements that end with the first one that took too long. */
function answered(name: string, times: number[], ended: boolean): string {
  const seconds = PATIENCE / 1000;
  const late = `| ${name} | none within ${seconds} s | | |`;
  return times.length === 0
    ? late
    : row(name, times) + (ended ? '' : `\n${late}`);
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
  let sorts = true;
  for (const key of ['accuracy', 'loss', 'f1', 'model', 'rmse']) {
    await page.getByRole('button', { name: /^Sort/ }).click();
    await page.getByPlaceholder('Search').last().fill(key);
    const item = page.getByRole('menuitemcheckbox', { name: key }).first();
    const took = await change(page, () => item.click());
    sorts = took !== null;
    if (took === null) {
      break; // it is still at it, so all that is asked after it would wait too
    }
    sorted.push(took);
  }
  if (!sorts) {
    await page.evaluate(() => localStorage.clear()); // it would sort so again
    await page.goto('about:blank');
    await page.goto(`${URL}/#/experiments/0/runs`);
    await page
      .getByRole('link', { name: /^run \d+$/ })
      .first()
      .waitFor({ timeout: 5 * PATIENCE });
  }

  const filtered: number[] = [];
  let filters = true;
  const search = page.getByPlaceholder(/metrics\.rmse/);
  for (const where of [
    'metrics.accuracy > 0.9',
    "params.model = 'svm'",
    "metrics.f1 > 0.8 and params.optimizer = '7'",
    "attributes.run_name LIKE '%99%'",
    ''
  ]) {
    await search.fill(where);
    const took = await change(page, () => search.press('Enter'));
    filters = took !== null;
    if (took === null) {
      break;
    }
    filtered.push(took);
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
      answered('sorted → first rows', sorted, sorts),
      answered('filtered → first rows', filtered, filters),
      row('a frame while scrolling the 100 runs', scrolled)
    ].join('\n')
  );
});
