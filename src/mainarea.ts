// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { WidgetTracker } from '@jupyterlab/apputils';
import { SplitPanel, TabPanel, type Widget } from '@lumino/widgets';

/** Below this share of the height a tab below the main area cannot be read. */
const LEAST = 0.3;

/**
 * Put a new tab into the main area, and show it.
 *
 * @param shell - The application's shell
 * @param tabs - The tabs of its kind
 * @param tab - The tab
 *
 * #### Notes
 * The main area of Notebook 7 holds one notebook, or its file browser, and leaves out everything else
 * without a word. Below it there is room for tabs.
 */
export async function openTab<T extends Widget>(
  shell: JupyterFrontEnd.IShell,
  tabs: WidgetTracker<T>,
  tab: T
): Promise<void> {
  shell.add(tab, 'main');
  if (tab.parent === null) {
    shell.add(tab, 'down');
  }
  await tabs.add(tab);
  showTab(shell, tab);
}

/**
 * Bring a tab to the front.
 *
 * @param shell - The application's shell
 * @param tab - A tab that is there
 */
export function showTab(shell: JupyterFrontEnd.IShell, tab: Widget): void {
  const panel = tab.parent?.parent;
  if (panel instanceof TabPanel) {
    // Notebook 7 shows the panel, but not which of its tabs is meant.
    panel.currentWidget = tab;
  }
  shell.activateById(tab.id);
  if (panel instanceof TabPanel) {
    giveRoom(panel);
  }
}

/**
 * Divide the height where what is below the main area has next to none of it, as at first.
 */
function giveRoom(panel: TabPanel): void {
  const split = panel.parent;
  if (split instanceof SplitPanel && split.orientation === 'vertical') {
    const sizes = split.relativeSizes();
    if (sizes[split.widgets.indexOf(panel)] < LEAST) {
      split.setRelativeSizes(sizes.map(() => 1));
    }
  }
}
