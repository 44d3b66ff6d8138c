// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The graph of a large workspace, measured in the browser. Prints a Markdown table; nothing fails by
 * time.
 */

import type { Page } from '@playwright/test';

import {
  emptyProject,
  execute,
  expect,
  open,
  test,
  writeLineage
} from '../tests/helpers';
import { row } from './figures';

/** How many runs there are; the newest 2,000 nodes of them are shown. */
const RUNS = Number(process.env.DOTSCIENCE_BENCH_RUNS ?? 100000);

/** How often each is done. */
const TIMES = 5;

/** How many frames are counted. */
const FRAMES = 200;

/** Open the graph, and measure until nodes are drawn, in ms. */
async function opened(
  page: Page,
  args: Record<string, string>
): Promise<number> {
  return page.evaluate(
    given =>
      new Promise<number>(resolve => {
        const start = performance.now();
        const look = () => {
          const found = [
            ...document.querySelectorAll<HTMLElement>(
              '.jp-DotscienceProvenance .jp-DotscienceNode'
            )
          ].some(each => each.offsetParent !== null);
          if (found) {
            resolve(performance.now() - start);
          } else {
            requestAnimationFrame(look);
          }
        };
        (window as any).jupyterapp.commands.execute(
          'dotscience:open-provenance',
          given
        );
        look();
      }),
    args
  );
}

/**
 * Move the graph about with the wheel, as fingers on a pad do.
 *
 * @returns How long each frame took, in ms, and how many nodes were drawn at most
 */
async function pan(page: Page): Promise<{ times: number[]; most: number }> {
  return page.evaluate(
    count =>
      new Promise<{ times: number[]; most: number }>(resolve => {
        const drawn = document.getElementsByClassName('jp-DotscienceNode');
        const pane = document.querySelector<HTMLElement>(
          '.jp-DotscienceProvenance .react-flow__pane'
        )!;
        const box = pane.getBoundingClientRect();
        const times: number[] = [];
        let most = drawn.length;
        let last = performance.now();
        const next = (now: number) => {
          times.push(now - last);
          last = now;
          most = Math.max(most, drawn.length);
          const n = times.length;
          pane.dispatchEvent(
            new WheelEvent('wheel', {
              bubbles: true,
              cancelable: true,
              clientX: box.x + box.width / 2,
              clientY: box.y + box.height / 2,
              // to and fro, so that the end of the graph is never reached for long
              deltaX: n % 100 < 50 ? -30 : 30,
              deltaY: n % 60 < 30 ? 20 : -20
            })
          );
          if (n < count) {
            requestAnimationFrame(next);
          } else {
            resolve({ times: times.slice(1), most });
          }
        };
        requestAnimationFrame(next);
      }),
    FRAMES
  );
}

test('the graph of many runs', async ({ page }) => {
  test.setTimeout(900000);
  const folder = emptyProject('bench-lineage');
  writeLineage(folder, RUNS);
  const whole: number[] = [];
  const model: number[] = [];
  for (let n = 0; n < TIMES; n++) {
    for (const [start, times] of [
      ['model:model', model],
      ['', whole]
    ] as const) {
      await open(page, `${folder}/notes.txt`);
      await page.waitForTimeout(2000);
      times.push(await opened(page, { start, workspace: folder }));
    }
  }
  const tab = page.locator('.jp-DotscienceProvenance:visible');
  await tab.getByRole('button', { name: 'Fold Chains' }).click();
  const shown = await tab.getByText(/runs, .* file versions/).textContent();
  await page.waitForTimeout(2000);
  const near = await pan(page);
  // in the midst of it, where the lines of hundreds of nodes cross
  await tab
    .getByRole('searchbox', { name: 'Find a run or file' })
    .fill('Step 25');
  for (let n = 0; n < 9; n++) {
    await page.keyboard.press('Enter');
  }
  await tab.getByRole('button', { name: 'Zoom out' }).click();
  await page.waitForTimeout(2000);
  const amidst = await pan(page);
  await tab.getByRole('button', { name: 'Show everything' }).click();
  await expect(tab.getByRole('img', { name: /^Picture of/ })).toBeVisible();
  await page.waitForTimeout(2000);
  const far = await pan(page);
  expect(amidst.most).toBeGreaterThan(near.most);
  console.log(
    [
      '',
      `${RUNS} runs; ${shown} shown`,
      '',
      '| | median | 95 % | worst |',
      '|---|---|---|---|',
      row('lineage of a model opened → nodes drawn', model),
      row('newest 2,000 nodes opened → nodes drawn', whole),
      row(`a frame while panning, up to ${near.most} nodes drawn`, near.times),
      row(`the same in the midst, up to ${amidst.most} nodes`, amidst.times),
      row('the same from far away, all of them painted', far.times)
    ].join('\n')
  );
});
