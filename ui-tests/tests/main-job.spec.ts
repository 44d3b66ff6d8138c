// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The main job, as a newcomer does it with the examples.
 */

import * as fs from 'fs';
import * as path from 'path';

import {
  execute,
  expect,
  FILES,
  open,
  openPanel,
  panel,
  project,
  rows,
  runAll,
  shot,
  test
} from './helpers';

test('run, see, open, go back and compare', async ({ page }) => {
  const folder = project('main-job');

  await test.step('a folder that is not tracked says so', async () => {
    await open(page, `${folder}/01-clean.ipynb`);
    await openPanel(page);
    await expect(
      panel(page).getByRole('button', { name: /start tracking/i })
    ).toBeVisible();
    await shot(page, '01-untracked');
  });

  await test.step('running a notebook makes its runs appear', async () => {
    await runAll(page);
    await expect(rows(page)).toHaveCount(2, { timeout: 30000 });
    await expect(
      page
        .locator('.jp-NotebookPanel:visible')
        .getByText(/\[\[DOTSCIENCE-RUN/)
        .locator('visible=true')
    ).toHaveCount(0);
    await shot(page, '02-first-runs');
  });

  await test.step('training adds two runs with metrics', async () => {
    await open(page, `${folder}/02-train.ipynb`);
    await openPanel(page);
    await runAll(page);
    await expect(rows(page)).toHaveCount(4, { timeout: 60000 });
    await expect(rows(page).first()).toContainText('Train with few features');
    await expect(rows(page).nth(1)).toContainText('Train with all features');
    await expect(rows(page).first()).toContainText('accuracy');
  });

  await test.step('a click opens the run', async () => {
    await rows(page).nth(1).click();
    const tab = page.locator('.jp-DotscienceRun:visible');
    await expect(
      tab.getByRole('heading', { level: 1, name: 'Train with all features' })
    ).toBeVisible();
    await expect(tab).toContainText('data/clean.csv');
    await expect(tab).toContainText('model/model.joblib');
    await expect(tab.locator('canvas').first()).toBeVisible();
    await shot(page, '03-run');
  });

  await test.step('the notebook opens as of the run, read-only', async () => {
    await page.getByRole('button', { name: /open as of this run/i }).click();
    const notebook = page.locator('.jp-NotebookPanel:visible');
    await expect(notebook).toContainText('Train a model, twice');
    await expect(notebook).toContainText(/read-only/i);
    await shot(page, '04-as-of-run');
  });

  await test.step('its files are restored to a new folder', async () => {
    await execute(page, 'dotscience:open-panel');
    await rows(page).nth(1).click();
    await page
      .getByRole('button', { name: /restore to a new folder/i })
      .click();
    await page.getByRole('button', { name: 'Restore', exact: true }).click();
    await expect(page.getByText(/was restored to/)).toBeVisible();
    const restored = fs
      .readdirSync(FILES)
      .filter(name => name.startsWith(`${folder}-restored-`));
    expect(restored).toHaveLength(1);
    expect(
      fs.existsSync(path.join(FILES, restored[0], 'model', 'model.joblib'))
    ).toBe(true);
  });

  await test.step('two runs are compared', async () => {
    await rows(page)
      .nth(0)
      .click({ modifiers: ['Control'] });
    await rows(page)
      .nth(1)
      .click({ modifiers: ['Control'] });
    await panel(page).getByRole('button', { name: 'Compare' }).click();
    const tab = page.locator('.jp-DotscienceCompare:visible');
    await expect(tab).toContainText('Compare two runs');
    await expect(tab).toContainText('penalty');
    await expect(tab).toContainText('l1');
    await expect(tab).toContainText('l2');
    await shot(page, '05-compare');
  });

  await test.step('it is dark at night', async () => {
    await page.theme.setDarkTheme();
    await shot(page, '06-compare-dark');
    await execute(page, 'dotscience:open-panel');
    await rows(page).nth(1).click();
    await expect(page.locator('.jp-DotscienceRun:visible')).toBeVisible();
    await shot(page, '07-run-dark');
  });
});
