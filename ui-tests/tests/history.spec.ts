// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The versions of a file: looked at, compared, copied, brought back; files that no code declared.
 */

import * as fs from 'fs';
import * as path from 'path';

import {
  emptyProject,
  execute,
  expect,
  FILES,
  notInCI,
  open,
  openPanel,
  rows,
  runAll,
  seriousProblems,
  shot,
  test,
  writeNotebook
} from './helpers';

const EVIL = '<img src=x onerror="window.hacked=1">';
const PUBLISH = `import dotscience as ds
ds.start(${JSON.stringify(EVIL)})
size = len(open("data.csv").read())
with open("model.txt", "w") as file:
    file.write(f"model of {size}\\n")
ds.summary("size", size)
ds.publish()`;

test('a file has a history, and any version comes back', async ({ page }) => {
  const folder = emptyProject('history');
  const file = (name: string) => path.join(FILES, folder, name);
  fs.writeFileSync(file('data.csv'), 'a,b\n1,2\n');
  fs.writeFileSync(file('notes.txt'), 'x\n');
  writeNotebook(folder, 'train.ipynb', [PUBLISH]);
  const history = page.locator('.jp-DotscienceHistory:visible');
  const versions = history.locator('.jp-DotscienceHistory-version');

  await test.step('two runs whose code declares no files', async () => {
    await open(page, `${folder}/train.ipynb`);
    await openPanel(page);
    await runAll(page);
    await expect(rows(page)).toHaveCount(1, { timeout: 30000 });
    fs.writeFileSync(file('data.csv'), 'a,b\n1,2\n3,4\n');
    await runAll(page);
    await expect(rows(page)).toHaveCount(2, { timeout: 30000 });
  });

  await test.step('the run says which files were found', async () => {
    await rows(page).first().dblclick();
    const run = page.locator('.jp-DotscienceRun:visible');
    await expect(
      run.getByRole('row', { name: /model\.txt.*found, not declared/ })
    ).toBeVisible();
    await expect(
      run.getByRole('row', { name: /data\.csv.*found, not declared/ })
    ).toBeVisible();
    await run.getByText('found, not declared').first().scrollIntoViewIfNeeded();
    await shot(page, '60-derived-files');
  });

  await test.step('the versions with the runs that made them', async () => {
    await execute(page, 'docmanager:open', {
      path: `${folder}/model.txt`,
      factory: 'Editor'
    });
    await execute(page, 'dotscience:open-history');
    await expect(versions).toHaveCount(2, { timeout: 15000 });
    await expect(versions.first()).toContainText(EVIL);
    expect(await page.evaluate(() => (window as any).hacked)).toBeUndefined();
    await shot(page, '61-history');
    expect(await seriousProblems(page, '.jp-DotscienceHistory')).toEqual([]);
  });

  await test.step('what is there now and in no commit', async () => {
    fs.writeFileSync(file('model.txt'), 'by hand\n');
    await expect(versions).toHaveCount(3, { timeout: 30000 });
    await expect(versions.first()).toContainText('not committed');
  });

  await test.step('a version opens read-only, and a scratch copy to work on', async () => {
    await versions
      .last()
      .getByRole('button', { name: /^Open \(/ })
      .click();
    const banner = page.locator('.jp-DotscienceFrozen:visible');
    await expect(banner).toContainText('Read-only');
    await banner.getByRole('button', { name: 'Scratch copy' }).click();
    await page.waitForFunction(() =>
      /model-[0-9a-f]{8}\.txt$/.test(
        (window as any).jupyterapp.shell.currentWidget?.context?.path ?? ''
      )
    );
    const copy = fs
      .readdirSync(path.join(FILES, folder))
      .find(name => /^model-[0-9a-f]{8}\.txt$/.test(name));
    expect(fs.readFileSync(file(copy!), 'utf-8')).toBe('model of 8\n');
  });

  await test.step('the difference is shown, then it comes back', async () => {
    await execute(page, 'dotscience:open-history', {
      file: `${folder}/model.txt`
    });
    await versions
      .last()
      .getByRole('button', { name: /^Bring back/ })
      .click();
    const question = page.locator('.jp-DotscienceQuestion:visible');
    await expect(question).toContainText('in the place of what is there now');
    await shot(page, '62-bring-back');
    await question.getByRole('button', { name: 'Cancel' }).click();
    await expect(question).toHaveCount(0);
    expect(fs.readFileSync(file('model.txt'), 'utf-8')).toBe('by hand\n');

    await execute(page, 'dotscience:open-history', {
      file: `${folder}/model.txt`
    });
    await versions
      .last()
      .getByRole('button', { name: /^Bring back/ })
      .click();
    await question.getByRole('button', { name: 'Bring Back' }).click();
    await expect(page.getByText(/is as it was in commit/)).toBeVisible();
    expect(fs.readFileSync(file('model.txt'), 'utf-8')).toBe('model of 8\n');
    // the editor that is open shows it at once
    await execute(page, 'docmanager:open', {
      path: `${folder}/model.txt`,
      factory: 'Editor'
    });
    await expect(
      page.locator('.jp-FileEditor:visible .cm-content')
    ).toContainText('model of 8');
    const kept = await page.evaluate(async where => {
      const app = (window as any).jupyterapp;
      const { baseUrl, token } = app.serviceManager.serverSettings;
      const url = `${baseUrl}dotscience/v1/commits/HEAD~1/files/model.txt?path=${where}`;
      const headers = { Authorization: `token ${token}` };
      return (await fetch(url, { headers })).text();
    }, folder);
    expect(kept).toBe('by hand\n');
  });

  await test.step('all files of a commit, beside the own folder', async () => {
    await execute(page, 'dotscience:open-history', {
      file: `${folder}/data.csv`
    });
    await expect(versions).toHaveCount(2, { timeout: 15000 });
    await versions
      .last()
      .getByRole('button', { name: /^All files/ })
      .click();
    const browser = page.locator('#dotscience-commit-files');
    await expect(browser).toContainText('Files as of');
    await expect(browser.getByText('train.ipynb')).toBeVisible();
    await shot(page, '63-commit-files');
    await browser.getByText('train.ipynb').dblclick();
    await expect(page.locator('.jp-DotscienceFrozen:visible')).toContainText(
      'Read-only'
    );
    const kernel = await page.evaluate(
      () =>
        (window as any).jupyterapp.shell.currentWidget?.sessionContext?.session
    );
    expect(kernel ?? null).toBeNull();
    await browser.getByRole('button', { name: 'Close' }).click();
    await expect(browser).toHaveCount(0);
    await expect(page.locator('#filebrowser')).toBeVisible();
  });

  await test.step('dark, narrow, and after a reload', async () => {
    await execute(page, 'dotscience:open-history', {
      file: `${folder}/model.txt`
    });
    await page.theme.setTheme('JupyterLab Dark');
    await expect(versions.first()).toBeVisible();
    await shot(page, '64-history-dark');
    expect(await seriousProblems(page, '.jp-DotscienceHistory')).toEqual([]);
    await page.setViewportSize({ width: 700, height: 800 });
    await shot(page, '65-history-narrow');
    await page.theme.setTheme('JupyterLab Light');
    await page.setViewportSize({ width: 1280, height: 800 });
    // the layout is saved a moment after it changed
    await page.waitForTimeout(3000);
    await page.reload({ waitForIsReady: false });
    await expect(versions).toHaveCount(4, { timeout: 60000 });
  });
});

test('JupyterLab’s own dialog lists our versions', async ({ page }) => {
  notInCI();
  const folder = emptyProject('checkpoints');
  const file = path.join(FILES, folder, 'notes.txt');
  fs.writeFileSync(file, 'one\n');
  const post = (endpoint: string, body: unknown) =>
    page.evaluate(
      async ([where, what]) => {
        const { serverSettings } = (window as any).jupyterapp.serviceManager;
        const xsrf = document.cookie.match(/\b_xsrf=([^;]*)/)?.[1] ?? '';
        const { baseUrl } = serverSettings;
        const answer = await fetch(`${baseUrl}dotscience/v1/${where}`, {
          method: 'POST',
          headers: { 'X-XSRFToken': xsrf },
          body: JSON.stringify(what)
        });
        return answer.status;
      },
      [endpoint, body] as const
    );
  await page.goto();
  expect(await post('workspace', { path: folder })).toBe(201);
  for (const content of ['one', 'two', 'three']) {
    fs.writeFileSync(file, `${content}\n`);
    const description = { description: content };
    expect(await post(`commits?path=${folder}`, description)).toBe(201);
  }
  await execute(page, 'docmanager:open', {
    path: `${folder}/notes.txt`,
    factory: 'Editor'
  });
  void execute(page, 'docmanager:restore-checkpoint');
  const dialog = page.locator('.jp-Dialog');
  await expect(dialog).toBeVisible();
  // the newest first, as JupyterLab turns them round
  await expect(dialog.locator('option')).toHaveCount(3);
  await shot(page, '66-checkpoints');
  await dialog.locator('select').selectOption({ index: 2 });
  await dialog.locator('.jp-mod-accept').click();
  const sure = page.locator('.jp-Dialog', { hasText: 'Are you sure' });
  await sure.getByRole('button', { name: 'Revert' }).click();
  await expect(page.locator('.jp-FileEditor .cm-content')).toContainText('one');
  expect(fs.readFileSync(file, 'utf-8')).toBe('one\n');
});
