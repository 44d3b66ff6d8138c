// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Renamed files in a comparison, and going back to a run in place.
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
  shot,
  test,
  writeNotebook
} from './helpers';

const PUBLISH =
  'import dotscience as ds\nds.start("take stock")\nds.summary("size", len(open("data.csv").read()))\nds.publish()';

test('a renamed file is shown as one, and going back brings all back', async ({
  page
}) => {
  const folder = emptyProject('go-back');
  const file = (name: string) => path.join(FILES, folder, name);
  fs.writeFileSync(file('data.csv'), 'a,b\n1,2\n');
  fs.writeFileSync(file('weights.bin'), 'w'.repeat(3000));
  writeNotebook(folder, 'stock.ipynb', [PUBLISH]);

  await test.step('two runs, and a file that was renamed in between', async () => {
    await open(page, `${folder}/stock.ipynb`);
    await openPanel(page);
    await runAll(page);
    await expect(rows(page)).toHaveCount(1, { timeout: 30000 });
    fs.renameSync(file('weights.bin'), file('model.bin'));
    fs.writeFileSync(file('data.csv'), 'a,b\n1,2\n3,4\n');
    await runAll(page);
    // files changed that the run does not explain: a correction comes with it
    await expect(rows(page)).toHaveCount(3, { timeout: 30000 });
  });

  await test.step('the comparison shows the renamed file as one', async () => {
    for (const index of [0, 2]) {
      await rows(page)
        .nth(index)
        .click({ modifiers: ['Control'] });
    }
    await panel(page).getByRole('button', { name: 'Compare' }).click();
    const tab = page.locator('.jp-DotscienceCompare:visible');
    await expect(
      tab.getByRole('row', {
        name: /weights\.bin → model\.bin|model\.bin → weights\.bin/
      })
    ).toContainText('renamed');
    await shot(page, '20-renamed');
  });

  await test.step('going back asks first', async () => {
    await expect(
      page.locator('.jp-NotebookPanel .jp-InputPrompt').first()
    ).toHaveText('[2]:');
    await rows(page).nth(2).click();
    await page.getByRole('button', { name: /go back to this run/i }).click();
    const dialog = page.locator('.jp-Dialog');
    await expect(dialog).toContainText('everything is committed first');
    await shot(page, '21-go-back');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(fs.existsSync(file('model.bin'))).toBe(true);
  });

  await test.step('the files are as they were, and what was there is kept', async () => {
    fs.writeFileSync(file('notes.txt'), 'not committed\n');
    await page.getByRole('button', { name: /go back to this run/i }).click();
    await page
      .locator('.jp-Dialog')
      .getByRole('button', { name: 'Go Back' })
      .click();
    await expect(page.getByText(/Went back to run/)).toBeVisible();
    expect(fs.readFileSync(file('data.csv'), 'utf-8')).toBe('a,b\n1,2\n');
    expect(fs.existsSync(file('weights.bin'))).toBe(true);
    expect(fs.existsSync(file('model.bin'))).toBe(false);
    expect(fs.existsSync(file('notes.txt'))).toBe(false);
    const frozen = await page.evaluate(async where => {
      const app = (window as any).jupyterapp;
      const { baseUrl, token } = app.serviceManager.serverSettings;
      const url = `${baseUrl}dotscience/v1/commits/HEAD~1/files/notes.txt?path=${where}`;
      const headers = { Authorization: `token ${token}` };
      return (await fetch(url, { headers })).text();
    }, folder);
    expect(frozen).toBe('not committed\n');
    // the notebook that is open shows the file as it is now
    await page.getByRole('tab', { name: 'stock.ipynb' }).first().click();
    await expect(
      page.locator('.jp-NotebookPanel:visible .jp-InputPrompt').first()
    ).toHaveText('[1]:');
    await expect(panel(page)).toContainText(/everything is committed/i, {
      timeout: 30000
    });
  });
});
