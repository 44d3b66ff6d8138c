// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Where files came from: the graph from the file browser to the raw data, on runs made by the examples.
 */

import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import type { Locator, Page } from '@playwright/test';
import * as fs from 'fs';

import {
  emptyProject,
  execute,
  expect,
  notInCI,
  open,
  openPanel,
  panel,
  project,
  rows,
  runAll,
  seriousProblems,
  shot,
  test,
  writeNotebook
} from './helpers';

/** The provenance tab. */
const tab = (page: Page): Locator =>
  page.locator('.jp-DotscienceProvenance:visible');

/** A node of the drawing. */
const node = (page: Page, text: string | RegExp): Locator =>
  tab(page).locator('.jp-DotscienceNode').filter({ hasText: text });

/** Ask of a file of the file browser where it came from. */
async function whereFrom(
  page: IJupyterLabPageFixture,
  file: string
): Promise<void> {
  await page.sidebar.openTab('filebrowser');
  await page
    .getByRole('listitem', { name: new RegExp(`^Name: ${file}`) })
    .click({ button: 'right' });
  await page
    .getByRole('menuitem', { name: 'Where Did This Come From?' })
    .click();
}

test('from a model back to its raw data', async ({ page }) => {
  const folder = project('provenance');
  await test.step('runs of two notebooks', async () => {
    await open(page, `${folder}/01-clean.ipynb`);
    await openPanel(page);
    await runAll(page);
    await expect(rows(page)).toHaveCount(2, { timeout: 60000 });
    await open(page, `${folder}/02-train.ipynb`);
    await openPanel(page);
    await runAll(page);
    await expect(rows(page)).toHaveCount(4, { timeout: 60000 });
  });

  await test.step('cells that published say so', async () => {
    const notebook = page.locator('.jp-NotebookPanel:visible');
    const marker = notebook.locator('.jp-DotscienceMarker').first();
    await expect(marker).toContainText(/^Run [0-9a-f]{8} · accuracy 0\.\d/);
    await marker.scrollIntoViewIfNeeded();
    await shot(page, '40-markers');
    expect(await seriousProblems(page, '.jp-DotscienceMarker')).toEqual([]);
  });

  await test.step('the file browser asks where the model came from', async () => {
    await page.sidebar.openTab('filebrowser');
    await page.filebrowser.openDirectory(`${folder}/model`);
    await whereFrom(page, 'model.joblib');
    await expect(node(page, 'model.joblib').first()).toBeVisible();
    await expect(node(page, 'clean.csv')).toBeVisible();
    await expect(node(page, 'Clean the measurements')).toBeVisible();
    await expect(node(page, 'Fetch the raw measurements')).toBeVisible();
    await expect(
      tab(page).getByRole('img', {
        name: 'clean.csv was read by Train with few features'
      })
    ).toHaveCount(1);
    await shot(page, '41-where-from');
  });

  await test.step('a click shows what a node is, and opens its run', async () => {
    await node(page, 'Clean the measurements').click();
    const sheet = tab(page).getByRole('complementary', {
      name: 'About Clean the measurements'
    });
    await expect(sheet).toContainText('dropped_rows');
    await expect(sheet).toContainText('01-clean.ipynb');
    await shot(page, '42-sheet');
    await page.keyboard.press('ArrowLeft');
    await expect(
      tab(page).getByRole('complementary', { name: 'About raw.csv' })
    ).toContainText('data/raw.csv');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await expect(
      page.getByRole('heading', { level: 1, name: /Fetch the raw/ })
    ).toBeVisible();
  });

  await test.step('the tab of a run leads to the graph from there', async () => {
    await page.getByRole('button', { name: 'Provenance', exact: true }).click();
    await expect(node(page, 'Train with all features')).toBeVisible();
    await expect(node(page, /^model\.joblib/).first()).toBeVisible();
    await tab(page)
      .getByRole('searchbox', { name: 'Find a run or file' })
      .fill('few');
    await page.keyboard.press('Enter');
    await expect(tab(page)).toContainText('1 of 1');
    await expect(tab(page).locator('.react-flow__node.selected')).toContainText(
      'Train with few features'
    );
    await shot(page, '43-search');
  });

  await test.step('two lineages are compared', async () => {
    await node(page, 'Train with few features').click();
    await tab(page)
      .getByRole('button', { name: 'Compare Lineage with…' })
      .click();
    await node(page, 'Train with all features').click();
    const lineages = page.locator('.jp-DotscienceLineages:visible');
    await expect(lineages).toContainText('penalty');
    await expect(lineages).toContainText('l1');
    await shot(page, '44-lineages');
    expect(await seriousProblems(page, '.jp-DotscienceLineages')).toEqual([]);
  });

  await test.step('it is exported', async () => {
    await page
      .getByRole('tab', { name: /Provenance of model\.joblib/ })
      .click();
    for (const [item, name] of [
      ['W3C PROV-JSON', /\.prov\.json$/],
      ['Picture (PNG)', /\.png$/]
    ] as const) {
      await tab(page).getByRole('button', { name: 'Export…' }).click();
      const download = page.waitForEvent('download');
      await page.getByRole('menuitem', { name: item }).click();
      const file = await download;
      expect(file.suggestedFilename()).toMatch(name);
      expect(fs.statSync(await file.path()).size).toBeGreaterThan(500);
    }
  });

  await test.step('nothing serious for who cannot see or use a mouse', async () => {
    const problems = () => seriousProblems(page, '.jp-DotscienceProvenance');
    await node(page, 'clean.csv').click();
    expect(await problems()).toEqual([]);
    await page.theme.setDarkTheme();
    await page.waitForTimeout(500);
    await shot(page, '45-dark');
    expect(await problems()).toEqual([]);
    await tab(page).getByRole('button', { name: 'List', exact: true }).click();
    const tree = tab(page).getByRole('tree', {
      name: 'What it was made from'
    });
    await tree.getByRole('treeitem').first().focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await expect(tree).toContainText('clean.csv');
    await shot(page, '46-list-dark');
    expect(await problems()).toEqual([]);
  });

  await test.step('a reload brings it back', async () => {
    // the layout is saved with a delay of its own
    await page.waitForTimeout(2500);
    await page.reload();
    await page
      .getByRole('tab', { name: /Provenance of model\.joblib/ })
      .click({ timeout: 60000 });
    await expect(
      tab(page).getByRole('tree', { name: 'What it was made from' })
    ).toContainText('model.joblib', { timeout: 30000 });
    await tab(page).getByRole('button', { name: 'List', exact: true }).click();
    await expect(node(page, 'clean.csv')).toBeVisible();
    await page.theme.setLightTheme();
    await page.setViewportSize({ width: 640, height: 800 });
    await page.waitForTimeout(500);
    await shot(page, '47-narrow');
  });
});

test('a file that nobody knows, and a folder that is not tracked', async ({
  page
}) => {
  notInCI();
  const folder = emptyProject('unknown');
  writeNotebook(folder, 'one.ipynb', ['1 + 1']);
  await open(page, `${folder}/one.ipynb`);
  await page.filebrowser.openDirectory(folder);
  await whereFrom(page, 'one.ipynb');
  await expect(page.getByText(/is not tracked, so it is not/)).toBeVisible();

  await openPanel(page);
  await panel(page)
    .getByRole('button', { name: /start tracking/i })
    .click();
  await expect(panel(page)).toContainText(/import dotscience/);
  // the tab of a document asks the same
  await page
    .getByRole('tab', { name: 'one.ipynb' })
    .first()
    .click({ button: 'right' });
  await page
    .getByRole('menuitem', { name: 'Where Did This Come From?' })
    .click();
  await expect(tab(page)).toContainText(/one\.ipynb/);
  await expect(
    tab(page).locator('.jp-DotscienceFailure, .jp-DotscienceProvenance-note')
  ).toBeVisible();
  await shot(page, '48-unknown');
});

test('cells are marked from the records where outputs were cleared, and not at all if so set', async ({
  page
}) => {
  const folder = emptyProject('markers');
  writeNotebook(folder, 'one.ipynb', [
    'import dotscience as ds\nwith ds.run("<img src=x onerror=alert(1)>"):\n    ds.metric("loss", 0.5)',
    '1 + 1'
  ]);
  await open(page, `${folder}/one.ipynb`);
  await openPanel(page);
  await runAll(page);
  await expect(rows(page)).toHaveCount(1, { timeout: 30000 });
  const markers = page.locator('.jp-NotebookPanel .jp-DotscienceMarker');
  await expect(markers).toHaveCount(1);
  await expect(markers.getByRole('button')).toHaveText(
    /^Run [0-9a-f]{8} · loss 0\.5$/
  );

  await execute(page, 'notebook:clear-all-cell-outputs');
  await expect(
    page.locator('.jp-NotebookPanel .jp-OutputArea-child')
  ).toHaveCount(0);
  await expect(markers.getByRole('button')).toHaveText(
    /^Run [0-9a-f]{8} · loss 0\.5$/
  );

  // Enter presses the button rather than edit the cell
  await markers.getByRole('button').focus();
  await page.keyboard.press('Enter');
  await expect(
    page.locator('.jp-DotscienceRun:visible').getByRole('heading', { level: 1 })
  ).toHaveText('<img src=x onerror=alert(1)>');

  const set = (enabled: boolean) =>
    page.evaluate(async value => {
      const registry = await (window as any).galata.getPlugin(
        '@jupyterlab/apputils-extension:settings'
      );
      await registry.set('dotscience-jupyter:markers', 'enabled', value);
    }, enabled);
  await page.getByRole('tab', { name: 'one.ipynb' }).first().click();
  await set(false);
  await expect(markers).toHaveCount(0);
  await set(true);
  await expect(markers).toHaveCount(1);
});
