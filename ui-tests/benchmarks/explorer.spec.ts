// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The explorer with many runs, measured in the browser. Prints a Markdown table; nothing fails by time.
 */

import type { Page } from '@playwright/test';
import * as fs from 'fs';
import * as path from 'path';

import {
  emptyProject,
  execute,
  expect,
  FILES,
  open,
  test,
  writeRuns
} from '../tests/helpers';
import { row } from './figures';

/** How many runs there are, each with eight parameters and six metrics. */
const RUNS = Number(process.env.DOTSCIENCE_BENCH_RUNS ?? 100000);

/** How often each is done. */
const TIMES = 5;

/** How long rows may take before it is said that they do not come, in ms. */
const PATIENCE = 60000;

/** Where runs are kept from one time to the next, if anywhere. */
const KEEP = process.env.DOTSCIENCE_BENCH_KEEP;

/**
 * Fill a workspace with runs, or take those that were kept.
 */
function fill(folder: string): void {
  const kept = KEEP && path.join(KEEP, `explorer-${RUNS}`);
  if (kept && fs.existsSync(kept)) {
    fs.cpSync(kept, path.join(FILES, folder), { recursive: true });
    return;
  }
  writeRuns(folder, RUNS, 'wide');
  if (kept) {
    fs.cpSync(path.join(FILES, folder), `${kept}.new`, { recursive: true });
    fs.renameSync(`${kept}.new`, kept);
  }
}

/**
 * Change the view, and measure until the rows that follow are drawn, in ms.
 */
async function change(
  page: Page,
  what: 'sort' | 'where',
  value: string
): Promise<number> {
  return page.evaluate(
    ([kind, given, patience]) =>
      new Promise<number>((resolve, reject) => {
        const app = (window as any).jupyterapp;
        const { model } = app.shell.currentWidget.content;
        const start = performance.now();
        setTimeout(
          () =>
            reject(
              new Error(`no rows of ${kind} ${given}: ${model.rowsError}`)
            ),
          patience
        );
        const onRows = () => {
          model.rowsChanged.disconnect(onRows);
          requestAnimationFrame(() => resolve(performance.now() - start));
        };
        model.rowsChanged.connect(onRows);
        if (kind === 'sort') {
          model.sortBy(given, false);
        } else {
          model.update({ where: given });
        }
      }),
    [what, value, PATIENCE] as const
  );
}

test('an explorer of many runs', async ({ page }) => {
  test.setTimeout(1200000);
  const folder = emptyProject('bench-explorer');
  fill(folder);
  fs.writeFileSync(path.join(FILES, folder, 'notes.txt'), 'x\n');
  await open(page, `${folder}/notes.txt`);

  const opened: number[] = [];
  for (let n = 0; n < TIMES; n++) {
    opened.push(
      await page.evaluate(
        async ([workspace, patience]) => {
          const app = (window as any).jupyterapp;
          const start = performance.now();
          await app.commands.execute('dotscience:open-explorer', { workspace });
          const { model } = app.shell.currentWidget.content;
          while (model.rows.row(0) === null) {
            if (performance.now() - start > patience) {
              throw new Error(`no first rows: ${model.rowsError}`);
            }
            await new Promise(resolve => requestAnimationFrame(resolve));
          }
          await new Promise(resolve => requestAnimationFrame(resolve));
          return performance.now() - start;
        },
        [folder, PATIENCE] as const
      )
    );
    if (n < TIMES - 1) {
      await page.evaluate(() =>
        (window as any).jupyterapp.shell.currentWidget.close()
      );
    }
  }
  await expect(page.locator('.jp-DotscienceExplorer')).toContainText(
    RUNS.toLocaleString('en')
  );

  console.log('opened');
  const sorted: number[] = [];
  for (const key of [
    'metrics.accuracy',
    'metrics.loss',
    'parameters.learning_rate',
    'parameters.model',
    'started'
  ]) {
    sorted.push(await change(page, 'sort', key));
  }
  console.log('sorted');
  const filtered: number[] = [];
  for (const where of [
    'metrics.accuracy > 0.9',
    "parameters.model = 'svm'",
    "metrics.f1 > 0.8 and parameters.optimizer = 'adam'",
    "description ~ '99'",
    ''
  ]) {
    filtered.push(await change(page, 'where', where));
  }

  console.log('filtered');
  const scroll = (by: number, count: number) =>
    page.evaluate(
      ([step, frames]) =>
        new Promise<number[]>(resolve => {
          const app = (window as any).jupyterapp;
          const grid = app.shell.currentWidget.content._grid;
          const times: number[] = [];
          let last = performance.now();
          const next = (now: number) => {
            times.push(now - last);
            last = now;
            grid.scrollBy(0, step);
            if (times.length < frames) {
              requestAnimationFrame(next);
            } else {
              resolve(times.slice(1));
            }
          };
          requestAnimationFrame(next);
        }),
      [by, count] as const
    );
  const slow = await scroll(40, 300);
  const fast = await scroll(3000, 300);

  console.log('scrolled');
  const ends = [];
  for (const index of [RUNS - 1, RUNS / 2, RUNS / 4, 0]) {
    ends.push(
      await page.evaluate(
        async ([at, patience]) => {
          const { content } = (window as any).jupyterapp.shell.currentWidget;
          const start = performance.now();
          content._grid.scrollToRow(at);
          while (content.model.rows.row(at) === null) {
            if (performance.now() - start > patience) {
              throw new Error(`row ${at}: ${content.model.rowsError}`);
            }
            await new Promise(resolve => requestAnimationFrame(resolve));
          }
          return performance.now() - start;
        },
        [Math.floor(index), PATIENCE] as const
      )
    );
  }

  await execute(page, 'dotscience:open-explorer', { workspace: folder });
  const start = Date.now();
  await page.getByRole('button', { name: 'Charts' }).click();
  await page.locator('.jp-DotsciencePlot-canvas').first().waitFor();
  const charts = Date.now() - start;

  console.log(
    [
      '',
      `${RUNS} runs, 8 parameters and 6 metrics each`,
      '',
      '| | median | 95 % | worst |',
      '|---|---|---|---|',
      row('explorer opened → first rows', opened),
      row('sorted → first rows', sorted),
      row('filtered → first rows', filtered),
      row('jump to another place → its rows', ends),
      row('a frame while scrolling, 40 px a frame', slow),
      row('a frame while scrolling, 3000 px a frame', fast),
      row('charts opened → 5,000 points', [charts])
    ].join('\n')
  );
});
