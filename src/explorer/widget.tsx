// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { UUID } from '@lumino/coreutils';
import { MessageLoop, type Message } from '@lumino/messaging';
import { Panel, SplitPanel, Widget } from '@lumino/widgets';
import * as React from 'react';

import type { LiveRun } from '../api/schema';
import { useSignal } from '../panel/hooks';
import { explorerIcon } from '../icons';
import { makeChart } from './charts/state';
import { ColumnList } from './columns';
import { RunsGrid } from './grid';
import { LiveStrip } from './live';
import type { ExplorerModel } from './model';
import { ExplorerToolbar } from './toolbar';

/** Below this width charts have no room beside the table, in px. */
const NARROW = 760;

/**
 * The content of the explorer's tab: the table, and beside it columns and charts where wanted.
 */
export class ExplorerWidget extends Panel {
  /**
   * Create the content.
   *
   * @param options - What it shows and what can be done with it; it owns the model from then on
   */
  constructor(private readonly _options: ExplorerWidget.IOptions) {
    super();
    const { model, themeManager, trans, actions } = _options;
    this.addClass('jp-DotscienceExplorer');
    this.node.setAttribute('role', 'region');
    this.title.icon = explorerIcon;
    this.title.label = _options.name
      ? trans.__('Explorer: %1', _options.name)
      : trans.__('Explorer');
    this.title.caption = trans.__(
      'Metric explorer of %1',
      model.workspace || '/'
    );
    this._top = ReactWidget.create(
      <Top
        {...{ model, trans, actions }}
        language={_options.language}
        isChartsShown={() => this._isChartsShown}
        onCharts={() => this._toggleCharts()}
      />
    );
    this._top.addClass('jp-DotscienceExplorer-top');
    this.addWidget(this._top);

    this._grid = new RunsGrid({
      model,
      themeManager,
      trans,
      open: actions.onOpen,
      menu: actions.onMenu
    });
    this._split = new SplitPanel({ orientation: 'horizontal', spacing: 5 });
    this._split.addClass('jp-DotscienceExplorer-split');
    this._split.addWidget(this._grid);
    this._split.handleMoved.connect(this._onHandleMoved, this);
    this.addWidget(this._split);

    model.changed.connect(this._arrange, this);
    if (typeof ResizeObserver !== 'undefined') {
      // What stands above the table may grow without Lumino being told.
      this._observer = new ResizeObserver(() => {
        MessageLoop.sendMessage(this._split, Widget.ResizeMessage.UnknownSize);
      });
      this._observer.observe(this._split.node);
    }
    this._arrange();
  }

  /** What it shows. */
  get model(): ExplorerModel {
    return this._options.model;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._observer?.disconnect();
    this.model.changed.disconnect(this._arrange, this);
    super.dispose();
    this.model.dispose();
  }

  /** Put the focus on the table. */
  focus(): void {
    this._grid.focus();
  }

  protected onActivateRequest(msg: Message): void {
    this.focus();
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._options.onShow();
  }

  protected onResize(msg: Widget.ResizeMessage): void {
    super.onResize(msg);
    const width = msg.width >= 0 ? msg.width : this.node.clientWidth;
    const isNarrow = width > 0 && width < NARROW;
    if (isNarrow !== this._isNarrow) {
      this._isNarrow = isNarrow;
      this._isNarrowOpen = false;
      this._split.orientation = isNarrow ? 'vertical' : 'horizontal';
      this._arrange();
      this._top.update();
    }
  }

  /** Whether charts are to be shown: beside the table if wanted, else only when asked for. */
  private get _isChartsShown(): boolean {
    return this._isNarrow ? this._isNarrowOpen : this.model.state.chartsOpen;
  }

  private _toggleCharts(): void {
    const { model } = this;
    const isShown = !this._isChartsShown;
    this._isNarrowOpen = isShown;
    const isFirst =
      isShown && model.state.charts.length === 0 && model.columns.length > 0;
    model.update({
      chartsOpen: this._isNarrow ? model.state.chartsOpen : isShown,
      ...(isFirst && {
        charts: (['scatter', 'series', 'parallel'] as const).map(kind =>
          makeChart(kind, model.columns, UUID.uuid4())
        )
      })
    });
  }

  /** Show what the state says, and nothing that it does not. */
  private _arrange(): void {
    const { model, trans } = this._options;
    const isColumns = model.state.columnsOpen;
    if (isColumns && !this._columns) {
      this._columns = ReactWidget.create(
        <ColumnList model={model} trans={trans} />
      );
      this._columns.addClass('jp-DotscienceExplorer-columns');
      this._split.insertWidget(0, this._columns);
      this._share();
    } else if (!isColumns && this._columns) {
      this._columns.dispose();
      this._columns = null;
      this._share();
    }
    const isCharts = this._isChartsShown;
    if (isCharts && !this._charts && !this._isLoading) {
      void this._addCharts();
    } else if (!isCharts && this._charts) {
      this._charts.dispose();
      this._charts = null;
      this._share();
    }
  }

  private async _addCharts(): Promise<void> {
    this._isLoading = true;
    const { model, themeManager, trans, actions } = this._options;
    const { ChartPanel } = await import('./charts/panel');
    this._isLoading = false;
    if (this.isDisposed || !this._isChartsShown || this._charts) {
      return;
    }
    this._charts = ReactWidget.create(
      <ChartPanel {...{ model, themeManager, trans }} onOpen={actions.onOpen} />
    );
    this._charts.addClass('jp-DotscienceExplorer-charts');
    this._charts.node.setAttribute('role', 'region');
    this._charts.node.setAttribute('aria-label', trans.__('Charts'));
    this._split.addWidget(this._charts);
    this._share();
  }

  /** Divide the room between the table and the charts. */
  private _share(): void {
    const { share } = this.model.state;
    const list = this._columns ? [0.2] : [];
    const rest = this._columns ? 0.8 : 1;
    this._split.setRelativeSizes(
      this._charts
        ? [...list, rest * share, rest * (1 - share)]
        : [...list, rest]
    );
  }

  private _onHandleMoved(): void {
    if (!this._charts) {
      return;
    }
    const sizes = this._split.relativeSizes().slice(-2);
    const share = sizes[0] / (sizes[0] + sizes[1]);
    if (share > 0.05 && share < 0.95) {
      this.model.update({ share: Math.round(share * 1000) / 1000 });
    }
  }

  private _charts: Widget | null = null;
  private _columns: Widget | null = null;
  private _grid: RunsGrid;
  private _isLoading = false;
  private _isNarrow = false;
  private _isNarrowOpen = false;
  private _observer: ResizeObserver | null = null;
  private _split: SplitPanel;
  private _top: ReactWidget;
}

/** What stands above the table. */
function Top(props: {
  model: ExplorerModel;
  trans: TranslationBundle;
  language: string;
  actions: ExplorerWidget.IActions;
  isChartsShown: () => boolean;
  onCharts: () => void;
}): JSX.Element {
  const { model, trans, actions } = props;
  useSignal(model.changed);
  return (
    <>
      <ExplorerToolbar
        model={model}
        trans={trans}
        isChartsShown={props.isChartsShown()}
        onCharts={props.onCharts}
        onCompare={actions.onCompare}
        onOpen={actions.onOpen}
        onCsv={actions.onCsv}
        onLink={actions.onLink}
      />
      <LiveStrip
        model={model}
        language={props.language}
        trans={trans}
        onOpen={actions.onOpen}
        onAbandon={actions.onAbandon}
      />
    </>
  );
}

/**
 * A namespace for `ExplorerWidget` types.
 */
export namespace ExplorerWidget {
  /** What can be done elsewhere. */
  export interface IActions {
    /** Open a run. */
    onOpen: (run: string) => void;

    /** Compare two runs. */
    onCompare: (a: string, b: string) => void;

    /** Save all rows as CSV. */
    onCsv: () => void;

    /** Copy an address that opens the explorer as it is. */
    onLink: () => void;

    /** Record a run whose process is gone as failed. */
    onAbandon: (run: LiveRun) => void;

    /** Show what can be done with a run, at a place on the page. */
    onMenu: (run: string, x: number, y: number) => void;
  }

  /** What the content shows and what can be done with it. */
  export interface IOptions {
    /** The runs. */
    model: ExplorerModel;

    /** What the workspace is called. */
    name: string;

    /** What can be done elsewhere. */
    actions: IActions;

    /** Called when the tab comes to the front. */
    onShow: () => void;

    /** The language of the interface. */
    language: string;

    /** Tells when colours change, where there is one. */
    themeManager: IThemeManager | null;

    /** The translation bundle. */
    trans: TranslationBundle;
  }
}
