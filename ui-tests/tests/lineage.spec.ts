// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * Provenance, history, differences and links in a workspace of many runs, which were not made by hand.
 */

import type { Locator, Page } from '@playwright/test';

import {
  emptyProject,
  execute,
  expect,
  open,
  seriousProblems,
  shot,
  test,
  writeLineage
} from './helpers';

const tab = (page: Page): Locator =>
  page.locator('.jp-DotscienceProvenance:visible');

const node = (page: Page, text: string | RegExp): Locator =>
  tab(page).locator('.jp-DotscienceNode').filter({ hasText: text });

/** Where a node is painted, and its colour. */
async function placeOfANode(
  picture: Locator
): Promise<{ x: number; y: number; colour: string }> {
  return picture.evaluate((canvas: HTMLCanvasElement) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, width, height);
    // lines have no colour, or let the ground shine through
    const isNode = (at: number) => {
      const [r, g, b, alpha] = data.slice(4 * at, 4 * at + 4);
      return alpha === 255 && Math.max(r, g, b) - Math.min(r, g, b) > 40;
    };
    for (let at = Math.floor((width * height) / 2); ; at++) {
      if (at >= width * height) {
        throw new Error('Nothing is painted.');
      }
      if (isNode(at)) {
        const box = canvas.getBoundingClientRect();
        return {
          x: box.x + ((at % width) / width) * box.width,
          y: box.y + (Math.floor(at / width) / height) * box.height,
          colour: data.slice(4 * at, 4 * at + 3).join(' ')
        };
      }
    }
  });
}

const SIZES = [
  { runs: 2000, isLong: false },
  { runs: 100000, isLong: true }
];

for (const { runs, isLong } of SIZES) {
  test(`a lineage in ${runs} runs`, async ({ page }) => {
    test.skip(
      isLong && !process.env.DOTSCIENCE_THOROUGH,
      'a minute and more; set DOTSCIENCE_THOROUGH for it'
    );
    test.setTimeout(isLong ? 900000 : 300000);
    const folder = emptyProject(`lineage-${runs}`);
    const { first, last } = writeLineage(folder, runs);
    await open(page, `${folder}/notes.txt`);
    const workspace = folder;

    await test.step('a model leads back to its raw data', async () => {
      await execute(page, 'dotscience:open-provenance', {
        start: 'model:model',
        direction: 'up',
        workspace
      });
      await expect(node(page, 'model.pkl')).toBeVisible({ timeout: 30000 });
      await expect(tab(page)).toContainText('50 runs');
      await shot(page, `90-lineage-${runs}`);
      await tab(page)
        .getByRole('searchbox', { name: 'Find a run or file' })
        .fill('raw.csv');
      await page.keyboard.press('Enter');
      await expect(
        tab(page).locator('.react-flow__node.selected')
      ).toContainText('raw.csv');
    });

    await test.step('the newest part of the whole workspace', async () => {
      await tab(page).getByRole('button', { name: 'Whole Workspace' }).click();
      await expect(tab(page)).toContainText('only the newest part is shown', {
        timeout: 60000
      });
      await expect(
        tab(page).locator('.jp-DotscienceNode').first()
      ).toBeVisible();
      // what is not in view is not drawn
      expect(
        await tab(page).locator('.jp-DotscienceNode').count()
      ).toBeLessThan(1000);
    });

    await test.step('all that is shown, from far away', async () => {
      await tab(page).getByRole('button', { name: 'Show everything' }).click();
      const picture = tab(page).getByRole('img', {
        name: /^Picture of 2,?000/
      });
      await expect(picture).toBeVisible();
      // nothing is made of elements of the page but what is selected
      await expect
        .poll(() => tab(page).locator('.jp-DotscienceNode').count())
        .toBeLessThan(2);
      await shot(page, `91-whole-${runs}`);
      const light = await placeOfANode(picture);
      await page.mouse.click(light.x, light.y);
      await expect(
        tab(page).getByRole('complementary', { name: /^About / })
      ).toBeVisible();
      await expect(tab(page).locator('.react-flow__node.selected')).toHaveCount(
        1
      );
      await page.theme.setDarkTheme();
      await expect
        .poll(async () => (await placeOfANode(picture)).colour)
        .not.toBe(light.colour);
      await shot(page, `91-whole-${runs}-dark`);
      expect(await seriousProblems(page, '.jp-DotscienceProvenance')).toEqual(
        []
      );
    });

    await test.step('a file with a version of each model', async () => {
      await execute(page, 'dotscience:open-history', {
        file: `${folder}/model.pkl`
      });
      const history = page.locator('.jp-DotscienceHistory:visible');
      const versions = history.locator('.jp-DotscienceHistory-version');
      await expect(history).toContainText(`${runs / 50} versions`);
      await expect(versions.first()).toContainText('Step 49');
      if (isLong) {
        const before = await versions.count();
        await history
          .getByRole('button', { name: 'Show older versions' })
          .click();
        await expect.poll(() => versions.count()).toBeGreaterThan(before);
      }
      await shot(page, `92-versions-${runs}`);
    });

    await test.step('the first moment beside the last', async () => {
      await execute(page, 'dotscience:open-difference', {
        old: first,
        new: last,
        workspace
      });
      const view = page.locator('.jp-DotscienceDifference:visible');
      const files = view.getByRole('tree', { name: 'Files that differ' });
      await expect(files.getByRole('treeitem')).toHaveCount(2);
      await expect(view).toContainText('line 0 of 3');
      await files.getByRole('treeitem', { name: /train\.ipynb/ }).click();
      await expect(view).toContainText('version = 3');
      await shot(page, `93-difference-${runs}`);
    });

    await test.step('a link to one of the runs', async () => {
      const run = await page.evaluate(async where => {
        const { serverSettings } = (window as any).jupyterapp.serviceManager;
        const url = `${serverSettings.baseUrl}dotscience/v1/runs?path=${where}&limit=1&offset=1000`;
        return (await (await fetch(url)).json()).items[0].id;
      }, folder);
      const address = new URL(page.url());
      address.searchParams.set('dotscience-run', run);
      address.searchParams.set('dotscience-workspace', folder);
      await page.goto(address.href);
      const detail = page.locator('.jp-DotscienceRun:visible');
      await expect(detail).toContainText(run);
      await expect(detail).toContainText('config.yml');
      expect(page.url()).not.toContain('dotscience-');
    });
  });
}
