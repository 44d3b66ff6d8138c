// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * What a user waits for, measured in the browser. Prints Markdown tables; nothing fails by time.
 */

import * as fs from 'fs';
import * as path from 'path';

import {
  emptyProject,
  execute,
  expect,
  FILES,
  open,
  openPanel,
  panel,
  rows,
  runAll,
  test,
  writeNotebook,
  writeRuns
} from '../tests/helpers';

/** How many files the workspace holds. */
const WORKSPACE_FILES = 10000;

/** How many runs are published there. */
const PUBLISHES = 15;

/** How many runs the panel opens with. */
const RUNS = 10000;

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function row(title: string, values: number[]): string {
  const worst = Math.max(...values);
  return `| ${title} | ${median(values).toFixed(0)} ms | ${worst.toFixed(0)} ms |`;
}

/**
 * Where the files are. JupyterLab lists the notebook's folder anew after each save, and the server is
 * busy with that for as long as the folder is large.
 */
const LAYOUTS = [
  { name: 'files below one folder', below: 'data' },
  { name: 'files in 100 folders beside the notebook', below: '' }
];

for (const layout of LAYOUTS) {
  test(`from the save to the row: ${layout.name}`, async ({ page }) => {
    test.setTimeout(600000);
    const folder = emptyProject(`bench-save-${layout.below}`);
    for (let n = 0; n < WORKSPACE_FILES; n++) {
      const part = path.join(FILES, folder, layout.below, `part-${n % 100}`);
      fs.mkdirSync(part, { recursive: true });
      fs.writeFileSync(path.join(part, `${n}.txt`), `file ${n}\n`.repeat(100));
    }
    writeNotebook(folder, 'one.ipynb', [
      'import dotscience as ds\nwith ds.run("again"):\n    ds.metric("loss", 0.5)'
    ]);
    await open(page, `${folder}/one.ipynb`);
    await openPanel(page);
    await runAll(page);
    await expect(rows(page).first()).toBeVisible({ timeout: 60000 });

    const sent: number[] = [];
    const answered: number[] = [];
    for (let n = 0; n < PUBLISHES; n++) {
      await page.waitForTimeout(1500);
      const times = await page.evaluate(
        () =>
          new Promise<{ sent: number; answered: number }>(resolve => {
            const app = (window as any).jupyterapp;
            const { context } = app.shell.currentWidget;
            const list = document.querySelector('.jp-DotscienceRuns')!;
            const first = () =>
              list
                .querySelector('[data-index="0"][data-run]')
                ?.getAttribute('data-run');
            const before = first();
            let started = 0;
            let completed = 0;
            const onSave = (_: unknown, state: string) => {
              if (state === 'started') {
                started = started || performance.now();
              } else {
                completed = completed || performance.now();
              }
            };
            context.saveState.connect(onSave);
            const observer = new MutationObserver(() => {
              if (first() !== before) {
                const now = performance.now();
                observer.disconnect();
                context.saveState.disconnect(onSave);
                resolve({ sent: now - started, answered: now - completed });
              }
            });
            observer.observe(list, {
              subtree: true,
              childList: true,
              attributes: true
            });
            app.commands.execute('notebook:run-all-cells');
          })
      );
      sent.push(times.sent);
      answered.push(times.answered);
    }
    console.log(
      [
        '',
        `${WORKSPACE_FILES} files, ${PUBLISHES} publishes, ${layout.name}`,
        '',
        '| | median | worst |',
        '|---|---|---|',
        row('save sent → run visible in the panel', sent),
        row('save answered → run visible in the panel', answered)
      ].join('\n')
    );
  });
}

test('a panel of many runs', async ({ page }) => {
  const folder = emptyProject('bench-many');
  writeRuns(folder, RUNS);
  fs.writeFileSync(path.join(FILES, folder, 'notes.txt'), 'x\n');
  const opened: number[] = [];
  const frames: number[] = [];
  for (let n = 0; n < 5; n++) {
    await open(page, `${folder}/notes.txt`);
    await page.waitForTimeout(2000);
    await execute(page, 'filebrowser:activate');
    opened.push(
      await page.evaluate(
        () =>
          new Promise<number>(resolve => {
            const start = performance.now();
            const look = () => {
              const node = document.querySelector(
                '.jp-DotscienceRuns-row[data-run]'
              ) as HTMLElement | null;
              if (node && node.offsetParent !== null) {
                resolve(performance.now() - start);
              } else {
                requestAnimationFrame(look);
              }
            };
            (window as any).jupyterapp.commands.execute(
              'dotscience:open-panel'
            );
            look();
          })
      )
    );
    await expect(panel(page)).toBeVisible();
    frames.push(
      ...(await page.evaluate(
        () =>
          new Promise<number[]>(resolve => {
            const list = document.querySelector('.jp-DotscienceRuns')!;
            const times: number[] = [];
            let last = performance.now();
            const step = (now: number) => {
              times.push(now - last);
              last = now;
              list.scrollTop += 300;
              if (times.length < 200) {
                requestAnimationFrame(step);
              } else {
                resolve(times.slice(1));
              }
            };
            requestAnimationFrame(step);
          })
      ))
    );
  }
  console.log(
    [
      '',
      `${RUNS} runs`,
      '',
      '| | median | worst |',
      '|---|---|---|',
      row('panel opened → first row', opened),
      row('a frame while scrolling', frames)
    ].join('\n')
  );
});
