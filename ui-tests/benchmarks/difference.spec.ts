// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * How long one waits for a difference, measured in the browser. Prints a Markdown table; nothing
 * fails by time.
 */

import * as fs from 'fs';
import * as path from 'path';

import { emptyProject, expect, FILES, open, test } from '../tests/helpers';
import type { ICell } from '../tests/history';
import { callApi, image, writeCells } from '../tests/history';

/** How often each is measured. */
const TIMES = 3;

function output(png: Buffer): object {
  return {
    output_type: 'display_data',
    metadata: {},
    data: { 'image/png': png.toString('base64') }
  };
}

/** 500 cells, of which every fifth differs when `changed`. */
function many(changed: boolean): ICell[] {
  return Array.from({ length: 500 }, (_, n) => ({
    source: [
      `# step ${n}`,
      `value_${n} = compute(${n}, ${changed && n % 5 === 0 ? 'True' : 'False'})`,
      ...Array.from({ length: 6 }, (__, line) => `line_${line} = value_${n}`)
    ].join('\n'),
    outputs: [
      {
        output_type: 'stream',
        name: 'stdout',
        text: `result ${n} ${changed && n % 5 === 0}\n`
      }
    ]
  }));
}

/** 60 images of half a megabyte; of the first ten the image differs when `changed`. */
function large(changed: boolean): ICell[] {
  const same = output(image(420, 420, [10, 20, 30], true));
  const other = output(image(420, 420, [90, 60, 30], true));
  const pad = 'x'.repeat(200_000);
  return Array.from({ length: 60 }, (_, n) => ({
    source: `plot(${n}, ${changed && n < 10})`,
    outputs: [
      changed && n < 10 ? other : same,
      {
        output_type: 'display_data',
        metadata: {},
        data: { 'text/html': `<p>${n}</p>${pad}`, 'text/plain': `${n}` }
      }
    ]
  }));
}

const KINDS: {
  name: string;
  cells: (changed: boolean) => ICell[];
  differ: number;
}[] = [
  { name: '500 cells, 100 changed', cells: many, differ: 100 },
  { name: '60 cells with images', cells: large, differ: 10 }
];

for (const { name, cells, differ } of KINDS) {
  test(`a difference of ${name}`, async ({ page }) => {
    test.setTimeout(300000);
    await page.goto();
    const folder = emptyProject(`bench-difference-${differ}`);
    fs.writeFileSync(path.join(FILES, folder, 'notes.txt'), 'x\n');
    writeCells(folder, 'large.ipynb', cells(false));
    await callApi(page, 'POST', 'v1/workspace', {}, { path: folder });
    const commit = (description: string) =>
      callApi(page, 'POST', 'v1/commits', { path: folder }, { description });
    await commit('before');
    writeCells(folder, 'large.ipynb', cells(true));
    await commit('after');
    const { size } = fs.statSync(path.join(FILES, folder, 'large.ipynb'));
    const rows: string[] = [];
    const opened: number[] = [];
    const steps: number[] = [];
    for (let n = 0; n < TIMES; n++) {
      await open(page, `${folder}/notes.txt`);
      await page.waitForTimeout(2000);
      const times = await page.evaluate(
        workspace =>
          new Promise<number>((resolve, reject) => {
            const start = performance.now();
            const look = () => {
              const node = document.querySelector<HTMLElement>(
                '.jp-DotscienceCell .jp-DotscienceRows-table'
              );
              if (node && node.offsetHeight > 0) {
                resolve(performance.now() - start);
              } else if (performance.now() - start > 20000) {
                const tab = document.querySelector('.jp-DotscienceDifference');
                reject(new Error(`Nothing in time: ${tab?.textContent}`));
              } else {
                requestAnimationFrame(look);
              }
            };
            const { commands } = (window as any).jupyterapp;
            commands
              .execute('dotscience:open-difference', {
                old: 'HEAD~1',
                new: 'HEAD',
                workspace
              })
              .catch(reject);
            look();
          }),
        folder
      );
      opened.push(times);
      steps.push(
        ...(await page.evaluate(
          () =>
            new Promise<number[]>(resolve => {
              const list = document.querySelector(
                '.jp-DotscienceDifference-content'
              )!;
              const frames: number[] = [];
              let last = performance.now();
              const step = (now: number) => {
                frames.push(now - last);
                last = now;
                list.scrollTop += 200;
                if (frames.length < 150) {
                  requestAnimationFrame(step);
                } else {
                  resolve(frames.slice(1));
                }
              };
              requestAnimationFrame(step);
            })
        ))
      );
      await expect(
        page.locator('.jp-DotscienceCell, .jp-DotscienceLazy')
      ).not.toHaveCount(0);
      await page.evaluate(() =>
        (window as any).jupyterapp.shell.currentWidget.dispose()
      );
    }
    const median = (values: number[]) =>
      [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
    const row = (title: string, values: number[]) =>
      `| ${title} | ${median(values).toFixed(0)} ms | ${Math.max(...values).toFixed(0)} ms |`;
    rows.push(row('first opened → first changed cell', opened.slice(0, 1)));
    rows.push(row('opened → first changed cell', opened));
    rows.push(row('a frame while scrolling', steps));
    console.log(
      [
        '',
        `${name}, ${(size / 1e6).toFixed(1)} MB`,
        '',
        '| | median | worst |',
        '|---|---|---|',
        ...rows
      ].join('\n')
    );
  });
}
