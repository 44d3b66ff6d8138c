// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useDebounced, useSignal } from '../panel/hooks';
import { Failure, TextButton } from '../run/components';
import { FilterBox } from './filter';
import type { ExplorerModel } from './model';
import { MAX_SELECTED } from './state';

/** How long typing must pause before runs are searched, in ms. */
const TYPING = 250;

/** What the toolbar works with. */
export interface IToolbarProps {
  model: ExplorerModel;
  trans: TranslationBundle;
  isChartsShown: boolean;
  onCharts: () => void;
  onCompare: (a: string, b: string) => void;
  onOpen: (run: string) => void;
  onCsv: () => void;
  onLink: () => void;
}

/**
 * Filter, search and what can be done with the selected runs.
 */
export function ExplorerToolbar(props: IToolbarProps): JSX.Element {
  const { model, trans } = props;
  useSignal(model.changed);
  const { state, error, rowsError } = model;
  return (
    <div className="jp-DotscienceExplorer-bar">
      <div
        className="jp-DotscienceExplorer-find"
        role="search"
        aria-label={trans.__('Find runs')}
      >
        <FilterBox
          where={state.where}
          problem={
            rowsError?.code === 'invalid_where' ? rowsError.message : null
          }
          complete={(where, position, signal) =>
            model.client.complete(where, position, signal)
          }
          apply={where => model.update({ where })}
          trans={trans}
        />
        <SearchBox model={model} trans={trans} />
      </div>
      <div className="jp-DotscienceExplorer-actions">
        <Counts model={model} trans={trans} />
        <Actions {...props} />
        <TextButton
          pressed={state.columnsOpen}
          title={trans.__('Choose, order and pin columns')}
          onClick={() => model.update({ columnsOpen: !state.columnsOpen })}
        >
          {trans.__('Columns')}
        </TextButton>
        <TextButton
          pressed={props.isChartsShown}
          title={trans.__('Show charts of the runs')}
          onClick={props.onCharts}
        >
          {trans.__('Charts')}
        </TextButton>
        <TextButton
          title={trans.__('Save all rows that match as a CSV file')}
          disabled={model.total <= 0}
          onClick={props.onCsv}
        >
          {trans.__('CSV')}
        </TextButton>
        <TextButton
          title={trans.__('Copy an address that opens the explorer as it is')}
          onClick={props.onLink}
        >
          {trans.__('Copy Link')}
        </TextButton>
      </div>
      {error && (
        <Failure
          message={trans.__('The runs could not be read.')}
          details={error.message}
          trans={trans}
          onRetry={() => void model.load()}
        />
      )}
      {!error && rowsError && rowsError.code !== 'invalid_where' && (
        <Failure
          message={trans.__('Some rows could not be read.')}
          details={rowsError.message}
          trans={trans}
          onRetry={() => model.rows.refresh()}
        />
      )}
    </div>
  );
}

function SearchBox(props: {
  model: ExplorerModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  const [text, setText] = React.useState(model.state.search);
  const { search } = model.state;
  React.useEffect(() => {
    setText(now => (now.trim() === search ? now : search));
  }, [search]);
  useDebounced(text, TYPING, value => {
    if (value.trim() !== model.state.search) {
      model.update({ search: value.trim() });
    }
  });
  return (
    <input
      className="jp-DotscienceExplorer-search"
      type="search"
      placeholder={trans.__('Search')}
      aria-label={trans.__('Search runs')}
      value={text}
      onChange={event => setText(event.target.value)}
    />
  );
}

/**
 * How many runs match and how many are selected, told when it changes.
 */
function Counts(props: {
  model: ExplorerModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  useSignal(model.rowsChanged);
  useSignal(model.selection.changed);
  const { total, selection } = model;
  return (
    <span className="jp-DotscienceExplorer-counts" role="status">
      <span>
        {total < 0
          ? trans.__('Reading the runs…')
          : trans._n('%2 run', '%2 runs', total, total.toLocaleString())}
      </span>
      {selection.size > 0 && (
        <span>
          {selection.size === MAX_SELECTED
            ? trans.__('%1 selected, which is as many as can be', MAX_SELECTED)
            : trans._n('%1 selected', '%1 selected', selection.size)}
        </span>
      )}
    </span>
  );
}

function Actions(props: IToolbarProps): JSX.Element {
  const { model, trans } = props;
  useSignal(model.selection.changed);
  useSignal(model.liveChanged);
  const { ids } = model.selection;
  const isLive = ids.some(id => model.rows.isLive(id));
  return (
    <>
      <TextButton
        disabled={ids.length !== 1}
        title={trans.__('Show everything known of the selected run')}
        onClick={() => props.onOpen(ids[0])}
      >
        {trans.__('Open')}
      </TextButton>
      <TextButton
        disabled={ids.length !== 2 || isLive}
        title={
          isLive
            ? trans.__('A run can be compared once it is published')
            : trans.__(
                'Compare two selected runs; select them with Ctrl+click, or with Ctrl+arrows and Space'
              )
        }
        onClick={() => props.onCompare(ids[0], ids[1])}
      >
        {trans.__('Compare')}
      </TextButton>
      <TextButton
        disabled={ids.length === 0}
        title={trans.__('Select nothing')}
        onClick={() => model.selection.set([])}
      >
        {trans.__('Clear')}
      </TextButton>
    </>
  );
}
