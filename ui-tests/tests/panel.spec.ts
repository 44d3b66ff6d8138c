// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The panel: from an untracked folder to ten thousand runs.
 */

import {
  execute,
  emptyProject,
  expect,
  FILES,
  notInCI,
  open,
  openPanel,
  panel,
  rows,
  runAll,
  seriousProblems,
  shot,
  startTracking,
  test,
  writeNotebook,
  writeRuns
} from './helpers';
import { execFileSync } from 'child_process';
import * as fs from 'fs';
import * as path from 'path';

const FAILING = [
  'import dotscience as ds\nds.start("it breaks")\nds.parameter("depth", 3)\nraise ValueError("no such thing")'
];

test('tracking starts with the button; changes are seen and committed', async ({
  page
}) => {
  const folder = emptyProject('by-hand');
  fs.writeFileSync(path.join(FILES, folder, 'notes.txt'), 'first\n');
  await open(page, `${folder}/notes.txt`);
  await openPanel(page);
  await startTracking(page, folder);
  await expect(panel(page)).toContainText(/import dotscience/);
  await shot(page, '10-empty');

  fs.writeFileSync(path.join(FILES, folder, 'data.csv'), 'a,b\n1,2\n');
  await expect(panel(page)).toContainText(
    /files? (has|have)? ?changed|changed file/i,
    {
      timeout: 20000
    }
  );
  await panel(page).getByRole('textbox').first().fill('the first data');
  await panel(page)
    .getByRole('button', { name: /save and commit/i })
    .click();
  await expect(panel(page)).toContainText(/everything is committed/i);
});

test('a run that dies is published as failed', async ({ page }) => {
  const folder = emptyProject('failing');
  writeNotebook(folder, 'fail.ipynb', FAILING);
  await open(page, `${folder}/fail.ipynb`);
  await openPanel(page);
  await runAll(page);
  await expect(rows(page)).toHaveCount(1, { timeout: 30000 });
  await expect(rows(page).first()).toContainText('failed');
  await expect(rows(page).first()).toContainText('no such thing');
  await rows(page).first().click();
  await expect(page.locator('.jp-DotscienceRun:visible')).toContainText(
    'ValueError'
  );
  await shot(page, '11-failed');
});

test('ten thousand runs: quick to open, filter, sort and scroll', async ({
  page
}) => {
  notInCI();
  const folder = emptyProject('many');
  writeRuns(folder, 10000);
  fs.writeFileSync(path.join(FILES, folder, 'notes.txt'), 'x\n');
  await open(page, `${folder}/notes.txt`);
  await openPanel(page);
  await expect(rows(page).first()).toBeVisible();
  await expect(panel(page)).toContainText(/10,?000 runs/);

  await test.step('only what is visible is in the page', async () => {
    expect(await rows(page).count()).toBeLessThan(60);
  });

  await test.step('the end of the list is reached at once', async () => {
    await panel(page).getByRole('listbox', { name: 'Runs' }).focus();
    await page.keyboard.press('End');
    await expect(panel(page).locator('[aria-posinset="10000"]')).toContainText(
      'run 0'
    );
  });

  await test.step('a filter finds, a wrong one explains itself', async () => {
    const filter = panel(page).getByRole('textbox', {
      name: /filter runs/i
    });
    await filter.fill('metrics.accuracy >');
    await expect(panel(page).getByRole('alert')).toBeVisible();
    await shot(page, '12-wrong-filter');
    await filter.fill('parameters.depth = 3 and metrics.accuracy > 0.5');
    await expect(panel(page).getByRole('alert')).toHaveCount(0);
    await expect(panel(page)).not.toContainText(/10,?000 runs/);
    await panel(page)
      .getByRole('combobox', { name: /order of the runs/i })
      .selectOption({ label: 'accuracy, highest first' });
    await expect(rows(page).first()).toContainText('0.99');
  });
});

test('nothing serious for who cannot see or use a mouse', async ({ page }) => {
  const folder = emptyProject('accessible');
  writeNotebook(folder, 'one.ipynb', [
    'import dotscience as ds\nwith ds.run("one"):\n    ds.parameter("depth", 3)\n    for i in range(5):\n        ds.metric("loss", 1 / (i + 1), step=i)'
  ]);
  await open(page, `${folder}/one.ipynb`);
  await openPanel(page);
  await runAll(page);
  await expect(rows(page)).toHaveCount(1, { timeout: 30000 });
  await rows(page).first().click();
  await expect(
    page.locator('.jp-DotscienceRun:visible canvas').first()
  ).toBeVisible();
  expect(await seriousProblems(page, '#dotscience-panel')).toEqual([]);
  expect(await seriousProblems(page, '.jp-DotscienceRun')).toEqual([]);
  await page.theme.setDarkTheme();
  expect(await seriousProblems(page, '#dotscience-panel')).toEqual([]);
  expect(await seriousProblems(page, '.jp-DotscienceRun')).toEqual([]);
});

test('a reload brings everything back, also in a narrow window', async ({
  page
}) => {
  const folder = emptyProject('reload');
  writeNotebook(folder, 'one.ipynb', [
    'import dotscience as ds\nwith ds.run("kept over a reload"):\n    ds.metric("loss", 0.5)'
  ]);
  await open(page, `${folder}/one.ipynb`);
  await openPanel(page);
  await runAll(page);
  await expect(rows(page)).toHaveCount(1, { timeout: 30000 });
  await rows(page).first().click();
  const tab = page.locator('.jp-DotscienceRun:visible');
  await expect(tab).toContainText('kept over a reload');
  await page.evaluate(() =>
    (window as any).jupyterapp.commands.execute('docmanager:save')
  );
  // the layout is saved with a delay of its own
  await page.waitForTimeout(2500);
  await page.reload();
  await expect(page.locator('.jp-DotscienceRun')).toContainText(
    'kept over a reload',
    { timeout: 30000 }
  );
  await expect(panel(page)).toBeVisible();
  await page.setViewportSize({ width: 640, height: 800 });
  await execute(page, 'dotscience:open-panel');
  await expect(rows(page)).toHaveCount(1);
  await shot(page, '13-narrow');
});

test('the server goes away and comes back', async ({ page, context }) => {
  const folder = emptyProject('offline');
  writeNotebook(folder, 'one.ipynb', [
    'import dotscience as ds\nwith ds.run("before the cut"):\n    ds.metric("loss", 0.5)'
  ]);
  await open(page, `${folder}/one.ipynb`);
  await openPanel(page);
  await runAll(page);
  await expect(rows(page)).toHaveCount(1, { timeout: 30000 });

  await context.setOffline(true);
  await execute(page, 'dotscience:refresh');
  await expect(panel(page)).toContainText(/cannot be reached/i);
  await expect(rows(page)).toHaveCount(1);
  await shot(page, '14-offline');

  // a program publishes meanwhile: the server sees it, the browser does not
  execFileSync(
    'python',
    ['-c', 'import dotscience as ds\nds.start("during the cut")\nds.publish()'],
    { cwd: path.join(FILES, folder), stdio: 'ignore' }
  );
  await context.setOffline(false);
  await expect(rows(page)).toHaveCount(2, { timeout: 60000 });
  await expect(panel(page)).not.toContainText(/cannot be reached/i);
});
