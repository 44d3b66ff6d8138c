// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunDetail } from '../api/schema';
import { DataTable, Empty, Facts, Section } from './components';
import {
  ENVIRONMENT_FACTS,
  environmentLabel,
  environmentValue,
  readEnvironment
} from './environment';

/**
 * What the run ran in: interpreter, machine, Git, image and installed distributions.
 */
export function EnvironmentView(props: {
  environment: RunDetail['environment'];
  trans: TranslationBundle;
}): JSX.Element {
  const { trans } = props;
  const { facts, packages } = React.useMemo(
    () => readEnvironment(props.environment),
    [props.environment]
  );
  const known = ENVIRONMENT_FACTS.filter(fact => facts[fact] !== undefined);
  const names = Object.keys(packages);
  return (
    <Section title={trans.__('Environment')}>
      {known.length === 0 && names.length === 0 && (
        <Empty>{trans.__('The environment was not recorded.')}</Empty>
      )}
      <Facts
        facts={known.map(fact => ({
          label: environmentLabel(fact, trans),
          value: environmentValue(fact, facts[fact] ?? '', trans)
        }))}
      />
      {names.length > 0 && <Packages packages={packages} trans={trans} />}
    </Section>
  );
}

/**
 * Installed distributions; many, so folded away and with a filter.
 */
function Packages(props: {
  packages: Record<string, string>;
  trans: TranslationBundle;
}): JSX.Element {
  const { packages, trans } = props;
  const [open, setOpen] = React.useState(false);
  const [filter, setFilter] = React.useState('');
  const names = React.useMemo(
    () =>
      Object.keys(packages).sort((a, b) =>
        a.localeCompare(b, undefined, { sensitivity: 'base' })
      ),
    [packages]
  );
  const words = filter.trim().toLowerCase();
  const shown = names.filter(name => name.toLowerCase().includes(words));
  return (
    <details
      className="jp-DotscienceDetails"
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>
        {trans._n('%1 package', '%1 packages', names.length, names.length)}
      </summary>
      {open && (
        <>
          <input
            type="search"
            className="jp-mod-styled jp-DotscienceFilter"
            placeholder={trans.__('Filter packages')}
            aria-label={trans.__('Filter packages')}
            value={filter}
            onChange={event => setFilter(event.target.value)}
          />
          {shown.length === 0 ? (
            <Empty>{trans.__('No package has this in its name.')}</Empty>
          ) : (
            <DataTable
              caption={trans.__('Packages')}
              rows={shown}
              rowKey={name => name}
              trans={trans}
              columns={[
                {
                  id: 'name',
                  label: trans.__('Name'),
                  render: name => name,
                  sortBy: name => name
                },
                {
                  id: 'version',
                  label: trans.__('Version'),
                  render: name => packages[name]
                }
              ]}
            />
          )}
        </>
      )}
    </details>
  );
}
