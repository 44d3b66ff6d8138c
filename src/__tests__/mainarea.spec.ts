// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { WidgetTracker } from '@jupyterlab/apputils';
import { Panel, SplitPanel, TabPanel, Widget } from '@lumino/widgets';

import { openTab, showTab } from '../mainarea';

/** A shell with one place in its main area, and tabs below it, as that of Notebook 7. */
function aShell(main: Widget[] = []) {
  const area = new Panel();
  main.forEach(widget => area.addWidget(widget));
  const down = new TabPanel();
  const split = new SplitPanel({ orientation: 'vertical' });
  split.addWidget(area);
  split.addWidget(down);
  split.setRelativeSizes([1, 0]);
  const shell = {
    add: jest.fn((widget: Widget, where: string) => {
      if (where === 'down') {
        down.addWidget(widget);
      } else if (area.widgets.length === 0) {
        area.addWidget(widget);
      }
    }),
    activateById: jest.fn()
  };
  return { shell: shell as any, area, down, split };
}

function aTab(id: string): Widget {
  const tab = new Widget();
  tab.id = id;
  return tab;
}

describe('openTab', () => {
  const tabs = new WidgetTracker<Widget>({ namespace: 'tests' });

  it('uses the main area where that takes the tab', async () => {
    const { shell, area, down } = aShell();
    const tab = aTab('one');
    await openTab(shell, tabs, tab);
    expect(area.widgets).toEqual([tab]);
    expect(down.widgets).toEqual([]);
    expect(shell.activateById).toHaveBeenCalledWith('one');
    expect(tabs.has(tab)).toBe(true);
  });

  it('goes below it where that is full, and takes room there', async () => {
    const notebook = new Widget();
    const { shell, area, down, split } = aShell([notebook]);
    const [first, second] = [aTab('two'), aTab('three')];
    await openTab(shell, tabs, first);
    await openTab(shell, tabs, second);
    expect(area.widgets).toEqual([notebook]);
    expect(down.widgets).toEqual([first, second]);
    expect(down.currentWidget).toBe(second);
    expect(split.relativeSizes()).toEqual([0.5, 0.5]);
    split.setRelativeSizes([3, 2]);
    showTab(shell, first);
    expect(down.currentWidget).toBe(first);
    // room that somebody gave it stays
    expect(split.relativeSizes()[1]).toBeCloseTo(0.4);
    expect(shell.activateById).toHaveBeenLastCalledWith('two');
  });
});
