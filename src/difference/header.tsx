// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Comparison, Side } from '../api/schema';
import { CopyLink } from '../links/button';
import { DataTable, LinkButton, TextButton } from '../run/components';
import { formatTime, formatValue } from '../run/format';
import type { DifferenceModel } from './model';
import { NOW } from './reader';
import type { IDifferenceActions } from './view';

/**
 * The two moments, a way to take others, and how their runs' values differ.
 */
export function DifferenceHeader(props: {
  model: DifferenceModel;
  actions: IDifferenceActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, actions, trans } = props;
  const { comparison } = model;
  return (
    <header className="jp-DotscienceDifference-header">
      <h1 className="jp-Dotscience-visuallyHidden">
        {trans.__('Differences between two moments')}
      </h1>
      <div className="jp-DotscienceDifference-moments">
        <Moment
          which="old"
          refName={model.old}
          side={comparison?.old ?? null}
          {...{ model, actions, trans }}
        />
        <div className="jp-DotscienceDifference-between">
          <TextButton
            title={trans.__('Put the newer moment first')}
            onClick={() => {
              void model.swap();
            }}
          >
            {trans.__('⇄ Swap')}
          </TextButton>
          <CopyLink onClick={() => actions.copyLink()} trans={trans} />
        </div>
        <Moment
          which="new"
          refName={model.newer}
          side={comparison?.new ?? null}
          {...{ model, actions, trans }}
        />
      </div>
      {comparison && comparison.values.length > 0 && (
        <Values comparison={comparison} trans={trans} />
      )}
    </header>
  );
}

function Moment(props: {
  which: 'old' | 'new';
  refName: string;
  side: Side | null;
  model: DifferenceModel;
  actions: IDifferenceActions;
  trans: TranslationBundle;
}): JSX.Element {
  const { which, refName, side, model, actions, trans } = props;
  const isOld = which === 'old';
  const choose = async (): Promise<void> => {
    const chosen = await actions.chooseMoment(
      isOld ? trans.__('The older moment') : trans.__('The newer moment')
    );
    if (chosen !== null && !model.isDisposed) {
      await (isOld
        ? model.setSides(chosen, model.newer)
        : model.setSides(model.old, chosen));
    }
  };
  const run = side?.run;
  return (
    <div
      className={`jp-DotscienceDifference-moment jp-mod-${which}`}
      role="group"
      aria-label={isOld ? trans.__('Before') : trans.__('After')}
    >
      <div className="jp-DotscienceDifference-label">
        <strong>{isOld ? trans.__('- Before') : trans.__('+ After')}</strong>{' '}
        {run ? (
          <LinkButton
            title={trans.__('Open run %1', run)}
            onClick={() => actions.openRun(run)}
          >
            {side.label}
          </LinkButton>
        ) : (
          <span title={side?.ref ?? refName}>{side?.label ?? refName}</span>
        )}
      </div>
      <div className="jp-DotscienceDifference-facts">
        {side && side.ref !== NOW && (
          <span title={side.ref}>{formatTime(side.created)}</span>
        )}
        <TextButton
          title={
            isOld
              ? trans.__('Choose another older moment')
              : trans.__('Choose another newer moment')
          }
          onClick={() => {
            void choose();
          }}
        >
          {trans.__('Choose…')}
        </TextButton>
      </div>
    </div>
  );
}

function Values(props: {
  comparison: Comparison;
  trans: TranslationBundle;
}): JSX.Element {
  const { comparison, trans } = props;
  const { values } = comparison;
  return (
    <details className="jp-DotscienceDetails" open={values.length <= 3}>
      <summary>
        {trans._n(
          '%1 parameter or metric differs',
          '%1 parameters and metrics differ',
          values.length
        )}
      </summary>
      <div className="jp-DotscienceDifference-values">
        <DataTable
          caption={trans.__('Parameters and metrics that differ')}
          rows={values}
          rowKey={value => `${value.kind} ${value.name}`}
          columns={[
            {
              id: 'name',
              label: trans.__('Name'),
              render: value => value.name,
              sortBy: value => value.name
            },
            {
              id: 'kind',
              label: trans.__('Kind'),
              render: value =>
                value.kind === 'metric'
                  ? trans.__('metric')
                  : trans.__('parameter'),
              sortBy: value => value.kind
            },
            {
              id: 'old',
              label: trans.__('Before'),
              numeric: true,
              render: value => formatValue(value.old ?? undefined),
              sortBy: value => value.old
            },
            {
              id: 'new',
              label: trans.__('After'),
              numeric: true,
              render: value => formatValue(value.new ?? undefined),
              sortBy: value => value.new
            }
          ]}
          trans={trans}
        />
      </div>
    </details>
  );
}
