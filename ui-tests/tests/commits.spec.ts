// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The commits of a workspace: listed, opened, compared, restored to a new folder.
 */

import * as fs from 'fs';
import * as path from 'path';

import {
  emptyProject,
  execute,
  expect,
  FILES,
  open,
  seriousProblems,
  shot,
  test
} from './helpers';
import { callApi } from './history';

const EVIL = '<img src=x onerror="window.hacked=1">';

test('commits are listed, opened and restored', async ({ page }) => {
  const folder = emptyProject('commits');
  const restored = path.join(FILES, 'commits-restored');
  fs.rmSync(restored, { recursive: true, force: true });
  const write = (name: string, content: string) => {
    const file = path.join(FILES, folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
  };
  write('notes.txt', 'one\n');
  write('data/a.csv', 'a,b\n1,2\n');
  write('data/b.csv', 'a,b\n');
  await open(page, `${folder}/notes.txt`);
  await callApi(page, 'POST', 'v1/workspace', {}, { path: folder });
  for (const [message, content] of [
    ['Prepare the data', 'one\n'],
    [`Clean it ${EVIL}\n\nwith care`, 'two\n'],
    ['Train on it', 'three\n']
  ]) {
    write('notes.txt', content);
    const body = { description: message };
    await callApi(page, 'POST', 'v1/commits', { path: folder }, body);
  }
  const commits = page.locator('.jp-DotscienceCommits:visible');
  const rows = commits.getByRole('option');
  const action = (name: string) =>
    commits.getByRole('group').getByRole('button', { name, exact: true });

  await execute(page, 'dotscience:open-commits', { workspace: folder });
  await expect(rows).toHaveCount(3);
  await expect(rows.nth(1)).toContainText('1 file changed');
  await expect(rows.nth(1)).toContainText(EVIL);
  await expect(rows.nth(2)).toContainText('first commit');
  await commits.getByRole('listbox').focus();
  await page.keyboard.press('ArrowDown');
  await expect(commits.getByRole('heading')).toContainText('Clean it');
  expect(await page.evaluate(() => (window as any).hacked)).toBeUndefined();
  expect(await seriousProblems(page, '.jp-DotscienceCommits')).toEqual([]);
  await shot(page, '67-commits');
  await page.theme.setTheme('JupyterLab Dark');
  expect(await seriousProblems(page, '.jp-DotscienceCommits')).toEqual([]);
  await shot(page, '68-commits-dark');
  await page.setViewportSize({ width: 700, height: 800 });
  await shot(page, '69-commits-narrow');
  await page.theme.setTheme('JupyterLab Light');
  await page.setViewportSize({ width: 1280, height: 800 });

  await action('Compare with Previous').click();
  const difference = page.locator('.jp-DotscienceDifference:visible');
  await expect(difference).toContainText('notes.txt');
  await execute(page, 'dotscience:open-commits', { workspace: folder });

  await action('All Files').click();
  const browser = page.locator('#dotscience-commit-files');
  await expect(browser).toContainText('Clean it');
  const crumb = browser.locator('.jp-BreadCrumbs-item').last();
  await expect(crumb).toHaveText(/^\d{4}-\d\d-\d\d \d\d\.\d\d [0-9a-f]{64}$/);
  await browser.getByText('notes.txt').dblclick();
  await expect(page.locator('.jp-FileEditor:visible')).toContainText('two');
  await expect(
    page.locator('.lm-TabBar-tab.lm-mod-current[data-dotscience-as-of]')
  ).toHaveAttribute(
    'data-dotscience-as-of',
    /^as of \d{4}-\d\d-\d\d \d\d:\d\d$/
  );
  await browser.getByText('data', { exact: true }).click();
  await shot(page, '70-commit-files');
  await browser.getByRole('button', { name: 'Restore…' }).click();
  const dialog = page.locator('.jp-Dialog');
  await expect(dialog).toContainText('New folder for data as of');
  await dialog.locator('input').fill('commits-restored');
  await dialog.getByRole('button', { name: 'Restore' }).click();
  await expect(
    page.getByText('data was restored to commits-restored.')
  ).toBeVisible();
  expect(fs.readdirSync(restored)).toEqual(['data']);
  expect(fs.readdirSync(path.join(restored, 'data')).sort()).toEqual([
    'a.csv',
    'b.csv'
  ]);
  // up to the other commits, by the bread crumbs
  await browser
    .locator('.jp-BreadCrumbs-item', { hasText: /^commits$/ })
    .click();
  await expect(browser).toContainText('open one to see its files');
  await expect(
    browser.getByText(/\d\d:\d\d [0-9a-f]{8} Train on it/)
  ).toBeVisible();
  await shot(page, '71-commit-folders');
});
