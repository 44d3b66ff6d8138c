// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import {
  Button,
  HTMLSelect,
  infoIcon,
  InputGroup
} from '@jupyterlab/ui-components';
import * as React from 'react';

import { compareIcon, explorerIcon } from '../icons';
import { fieldOf } from './format';
import { useDebounced } from './hooks';
import { OLDEST } from './model';
import type { RunsModel } from './runs';

/** How long typing must pause before the server is asked, in ms. */
const TYPING = 250;

/** Conditions that show what can be asked; the language is the same in every tongue. */
const EXAMPLES = [
  'metrics.accuracy > 0.9',
  "parameters.model = 'svm' and status = 'succeeded'",
  "file ~ 'train' or labels.stage in ('test', 'final')",
  "authority != 'correction'",
  "started > '2026-01-31'"
];

interface IToolbarProps {
  runs: RunsModel;
  selected: readonly string[];
  trans: TranslationBundle;
  onCompare: () => void;
  onExplore: () => void;
}

/**
 * Search, filter, order and comparison of the runs.
 *
 * #### Notes
 * What is typed starts as the model's filter; give it another `key` when that is changed elsewhere.
 */
export function Toolbar(props: IToolbarProps): React.ReactElement {
  const { runs, trans } = props;
  const [search, setSearch] = React.useState(runs.filter.search);
  const [where, setWhere] = React.useState(runs.filter.where);
  const [isHelpOpen, setHelpOpen] = React.useState(false);
  const id = React.useId();
  useDebounced(search, TYPING, value =>
    runs.setFilter({ search: value.trim() })
  );
  useDebounced(where, TYPING, value => runs.setFilter({ where: value.trim() }));

  const error = runs.whereError;
  return (
    <div
      className="jp-DotsciencePanel-toolbar"
      role="search"
      aria-label={trans.__('Find runs')}
    >
      <div className="jp-DotsciencePanel-where">
        <InputGroup
          type="search"
          placeholder={trans.__('Search')}
          aria-label={trans.__('Search runs')}
          value={search}
          onChange={event => setSearch(event.target.value)}
        />
        <Button
          minimal
          small
          aria-label={trans.__('Show in explorer')}
          title={trans.__(
            'Show these runs in the explorer: a table with every value, and charts'
          )}
          onClick={props.onExplore}
        >
          <explorerIcon.react tag="span" width="16px" height="16px" />
        </Button>
      </div>
      <div className="jp-DotsciencePanel-where">
        <InputGroup
          type="text"
          placeholder={trans.__('Filter, such as %1', EXAMPLES[0])}
          aria-label={trans.__('Filter runs by a condition')}
          aria-invalid={error !== null}
          aria-describedby={error ? `${id}-error` : undefined}
          spellCheck={false}
          value={where}
          onChange={event => setWhere(event.target.value)}
        />
        <Button
          minimal
          small
          aria-label={trans.__('Help on filters')}
          title={trans.__('Help on filters')}
          aria-expanded={isHelpOpen}
          aria-controls={`${id}-help`}
          onClick={() => setHelpOpen(!isHelpOpen)}
        >
          <infoIcon.react tag="span" width="16px" height="16px" />
        </Button>
      </div>
      {error && (
        <div
          id={`${id}-error`}
          className="jp-DotsciencePanel-whereError"
          role="alert"
        >
          {error.message}
          {error.details && <pre>{error.details}</pre>}
        </div>
      )}
      {isHelpOpen && (
        <div id={`${id}-help`} className="jp-DotsciencePanel-help">
          {trans.__(
            'Compare metrics, parameters, labels, status, author, file, started and others with values; join with and, or, not and parentheses. Choose an example to try it:'
          )}
          <ul>
            {EXAMPLES.map(example => (
              <li key={example}>
                <button onClick={() => setWhere(example)}>
                  <code>{example}</code>
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
      <div className="jp-DotsciencePanel-order">
        <SortMenu runs={runs} trans={trans} />
        <Button
          className="jp-mod-styled jp-DotsciencePanel-compare"
          disabled={props.selected.length !== 2}
          title={trans.__(
            'Compare two runs; choose them with Ctrl+click, or with Space in the list'
          )}
          onClick={props.onCompare}
        >
          <compareIcon.react tag="span" width="14px" height="14px" />{' '}
          {trans.__('Compare')}
        </Button>
      </div>
    </div>
  );
}

function SortMenu(props: {
  runs: RunsModel;
  trans: TranslationBundle;
}): React.ReactElement {
  const { runs, trans } = props;
  const both = (kind: 'metrics' | 'parameters', names: readonly string[]) =>
    names.flatMap(name => [
      <option key={`${name} desc`} value={`${fieldOf(kind, name)} desc`}>
        {trans.__('%1, highest first', name)}
      </option>,
      <option key={`${name} asc`} value={`${fieldOf(kind, name)} asc`}>
        {trans.__('%1, lowest first', name)}
      </option>
    ]);
  return (
    <HTMLSelect
      className="jp-DotsciencePanel-sort"
      aria-label={trans.__('Order of the runs')}
      title={trans.__('Order of the runs')}
      value={runs.filter.sort}
      onChange={event => runs.setFilter({ sort: event.target.value })}
    >
      <option value="">{trans.__('Newest first')}</option>
      <option value={OLDEST}>{trans.__('Oldest first')}</option>
      {runs.metrics.length > 0 && (
        <optgroup label={trans.__('Metrics')}>
          {both('metrics', runs.metrics)}
        </optgroup>
      )}
      {runs.parameters.length > 0 && (
        <optgroup label={trans.__('Parameters')}>
          {both('parameters', runs.parameters)}
        </optgroup>
      )}
    </HTMLSelect>
  );
}
