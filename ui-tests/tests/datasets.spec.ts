// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Datasets without a terminal: one is made of a folder, read by a run, moved to a newer version and
 * detached.
 */

import * as fs from 'fs';
import * as path from 'path';

import {
  emptyProject,
  expect,
  FILES,
  open,
  openPanel,
  panel,
  rows,
  runAll,
  seriousProblems,
  shot,
  startTracking,
  test,
  writeNotebook
} from './helpers';

const READ = `import dotscience as ds
ds.start("count the rows")
ds.summary("rows", len(open(ds.input("datasets/flowers/a.csv")).read().split()))
ds.publish()`;

test('a folder becomes a dataset that runs use', async ({ page }) => {
  const folder = emptyProject('datasets');
  const raw = path.join(FILES, 'flowers');
  fs.rmSync(raw, { recursive: true, force: true });
  fs.mkdirSync(raw);
  fs.writeFileSync(path.join(raw, 'a.csv'), '1\n2\n');
  writeNotebook(folder, 'read.ipynb', [READ]);
  const section = panel(page).getByRole('region', { name: 'Datasets' });
  const dialog = page.locator('.jp-Dialog');
  const file = (name: string) => path.join(FILES, folder, name);

  await test.step('it is made of a folder, and attached', async () => {
    await open(page, `${folder}/read.ipynb`);
    await openPanel(page);
    await startTracking(page, folder);
    await expect(section.getByRole('status')).toHaveText('No datasets');
    // all of it with the keyboard
    await section.getByRole('button', { name: 'No datasets' }).press('Enter');
    await section
      .getByRole('button', { name: 'New from a Folder…' })
      .press('Enter');
    await dialog.getByRole('button', { name: 'Select' }).waitFor();
    await dialog.locator('.jp-BreadCrumbs-home').click();
    await dialog.getByRole('listitem', { name: /flowers/ }).click();
    await dialog.getByRole('button', { name: 'Select' }).click();
    await expect(dialog.getByLabel('Name')).toHaveValue('flowers');
    await expect(dialog.getByLabel('Folder')).toHaveValue('flowers');
    expect(await seriousProblems(page, '.jp-Dialog')).toEqual([]);
    await shot(page, '80-dataset-new');
    await dialog.getByLabel('Name').press('Enter');
    await expect(section.getByRole('status')).toHaveText('1 dataset');
    expect(fs.existsSync(file('datasets/flowers/a.csv'))).toBe(true);
  });

  await test.step('a run reads it', async () => {
    await runAll(page);
    await expect(rows(page)).toHaveCount(1, { timeout: 30000 });
  });

  await test.step('a version is saved, and one is moved to', async () => {
    fs.writeFileSync(path.join(raw, 'b.csv'), '3\n');
    await section.getByRole('button', { name: 'Attach a Dataset…' }).click();
    await expect(dialog.getByLabel('Where it is')).toBeFocused();
    await expect(dialog.getByLabel('Dataset')).toHaveValue('flowers');
    await dialog.getByLabel('Writable').check();
    expect(await seriousProblems(page, '.jp-Dialog')).toEqual([]);
    await shot(page, '81-dataset-attach');
    await dialog.getByRole('button', { name: 'Attach', exact: true }).click();
    await expect(section).toContainText('writable');
    await section.getByRole('button', { name: 'flowers', exact: true }).click();
    await section.getByRole('button', { name: 'Save a Version…' }).click();
    await dialog.getByRole('textbox').fill('with b');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect(section).toContainText('with b');
    await expect(section).toContainText('count the rows');
    // back to the first one, of which the run tells
    await section.getByRole('button', { name: 'Attach a Dataset…' }).click();
    await dialog
      .getByRole('combobox', { name: 'Version' })
      .selectOption({ index: 2 });
    await dialog.getByRole('button', { name: 'Attach', exact: true }).click();
    await expect(section.getByRole('status').first()).toHaveText(
      '1 dataset, 1 newer version'
    );
    expect(fs.existsSync(file('datasets/flowers/b.csv'))).toBe(false);
    expect(await seriousProblems(page, '.jp-DotscienceDatasets')).toEqual([]);
    await shot(page, '82-datasets');
    await section.getByRole('button', { name: 'Use It' }).first().click();
    await expect(section.getByRole('status').first()).toHaveText('1 dataset');
    expect(fs.existsSync(file('datasets/flowers/b.csv'))).toBe(true);
  });

  await test.step('it is shown, and detached', async () => {
    await section
      .getByRole('button', { name: 'datasets/flowers', exact: true })
      .click();
    await expect(
      page.locator('.jp-DirListing:visible').getByText('b.csv')
    ).toBeVisible();
    await openPanel(page);
    await section.getByRole('button', { name: 'Detach…' }).click();
    await dialog.getByRole('button', { name: 'Detach' }).click();
    await expect(section.getByRole('status')).toHaveText('No datasets');
    expect(fs.existsSync(file('datasets/flowers'))).toBe(false);
    expect(fs.existsSync(path.join(raw, 'b.csv'))).toBe(true);
  });
});
