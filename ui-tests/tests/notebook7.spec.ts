// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The same extension in Notebook 7, which has no file browser or side panels beside a notebook.
 */

import { expect, test } from '@playwright/test';

import { emptyProject, execute, runAll, shot, writeNotebook } from './helpers';

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
  await expect(
    panel.getByRole('listbox', { name: 'Runs' }).getByRole('option')
  ).toHaveCount(1, { timeout: 30000 });
  await shot(page, '20-notebook7');
});
