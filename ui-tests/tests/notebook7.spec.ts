// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The same extension in Notebook 7, whose main area holds one notebook or the list of files, and
 * nothing else.
 */

import {
  emptyProject,
  execute,
  expect,
  notInCI,
  plain as test,
  runAll,
  shot,
  writeNotebook
} from './helpers';

test('a run published in Notebook 7 is tracked and opens', async ({ page }) => {
  const folder = emptyProject('notebook7');
  writeNotebook(folder, 'one.ipynb', [
    'import dotscience as ds\nwith ds.run("from Notebook 7"):\n    ds.metric("loss", 0.5)'
  ]);
  await page.goto(`${process.env.TARGET_URL}/notebooks/${folder}/one.ipynb`);
  await page.waitForFunction(() => Boolean((window as any).jupyterapp));
  await runAll(page);

  const card = page
    .locator('.jp-OutputArea')
    .getByText('from Notebook 7')
    .locator('visible=true');
  await expect(card.first()).toBeVisible({ timeout: 30000 });
  await expect(
    page.getByText(/\[\[DOTSCIENCE-RUN/).locator('visible=true')
  ).toHaveCount(0);

  await execute(page, 'dotscience:open-panel');
  const panel = page.locator('#dotscience-panel');
  await expect(panel).toBeVisible();
  const runs = panel.getByRole('listbox', { name: 'Runs' }).getByRole('option');
  await expect(runs).toHaveCount(1, { timeout: 30000 });
  await shot(page, '20-notebook7');

  // what has no room in the main area is below it
  const below = page.locator('.jp-DotscienceMain:visible');
  await runs.dblclick();
  await expect(below).toContainText('loss');
  await execute(page, 'dotscience:open-explorer');
  await expect(below.getByRole('grid', { name: 'Runs' })).toBeVisible();
  await execute(page, 'dotscience:open-provenance');
  await expect(below.locator('.jp-DotscienceNode').first()).toBeVisible();
  await execute(page, 'dotscience:open-history', {
    file: `${folder}/one.ipynb`
  });
  await expect(below.locator('.jp-DotscienceHistory-version')).toHaveCount(1);
  await execute(page, 'dotscience:show-changes');
  await expect(below).toContainText('Differences between two moments');
  // a tab that is there is brought to the front
  await execute(page, 'dotscience:open-explorer');
  await expect(below.getByRole('grid', { name: 'Runs' })).toBeVisible();
  await shot(page, '21-notebook7-below');
});

test('the list of files of Notebook 7', async ({ page }) => {
  notInCI();
  const folder = emptyProject('notebook7-tree');
  writeNotebook(folder, 'one.ipynb', ['1 + 1']);
  await page.goto(`${process.env.TARGET_URL}/tree/${folder}`);
  await page.waitForFunction(() => Boolean((window as any).jupyterapp));
  await page.evaluate(() => (window as any).jupyterapp.restored);
  await execute(page, 'dotscience:start-tracking', { path: folder });
  await execute(page, 'dotscience:open-explorer', { workspace: folder });
  await expect(
    page.locator('.jp-DotscienceMain:visible').getByRole('grid')
  ).toBeVisible();
  await shot(page, '22-notebook7-tree');
});
