// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { HubLogin, HubProject, NewestCommit } from '../api/schema';
import { Field, Problem, ask } from '../form';
import { useAnswer } from '../panel/hooks';
import { indexAt, useRows } from '../panel/rows';
import { rowAfterKey } from '../panel/window';
import { firstLine, formatTime } from '../run/format';

/** Stands for a hub on which the user is not logged in yet. */
export const OTHER_HUB = 'other';

/** For how long the rows stay the same before the hub is asked about them, in ms. */
const SETTLE = 150;

/** How many projects the server asks a hub about at once. */
const MOST = 40;

/** What no name of a folder can hold everywhere. */
const NOT_IN_FOLDERS = /[/\\:*?"<>|\p{Cc}]+/gu;

/**
 * Which project is to be cloned, and where to.
 */
export interface ICloneAnswer {
  /** The address of the hub, or {@link OTHER_HUB}. */
  source: string;

  /** The id of the project; `''` when none is chosen. */
  project: string;

  /** What is searched for, or the address of a project. */
  search: string;

  /** Contents path of the new folder. */
  folder: string;
}

interface ICloneOptions {
  /** What stands there at first. */
  value: ICloneAnswer;

  /** The hubs on which the user is logged in. */
  hubs: readonly HubLogin[];

  /** Contents path of the folder in which new ones are made. */
  parent: string;

  /** Asks for the projects of a hub. */
  read: (url: string) => Promise<readonly HubProject[]>;

  /** Asks for the newest commits of some projects. */
  newest: (
    url: string,
    projects: readonly string[]
  ) => Promise<readonly NewestCommit[]>;

  /** Why the last answer would not do. */
  error: string;

  trans: TranslationBundle;
}

/**
 * Ask which project is to be cloned, and where to.
 *
 * @returns The answer, or null if the user did not want to
 */
export async function askClone(
  options: ICloneOptions
): Promise<ICloneAnswer | null> {
  const { trans, value } = options;
  return ask(
    value,
    onChange => <CloneFields {...options} onChange={onChange} />,
    {
      title: trans.__('Clone a Project from the Hub'),
      accept: trans.__('Clone'),
      focus: '.jp-DotscienceClone-search',
      trans
    }
  );
}

/**
 * Whether a text is the address of a project rather than something to search for.
 */
export function isAddress(text: string): boolean {
  return /^\s*(https?:\/\/|hub:)/.test(text);
}

function CloneFields(
  props: ICloneOptions & { onChange: (value: ICloneAnswer) => void }
): React.ReactElement {
  const { error, hubs, onChange, parent, trans } = props;
  const [source, setSource] = React.useState(props.value.source);
  const [search, setSearch] = React.useState(props.value.search);
  const [project, setProject] = React.useState(props.value.project);
  // null follows the name of the project
  const [typed, setTyped] = React.useState(props.value.folder || null);
  const isHub = source !== OTHER_HUB;
  const answer = useAnswer<HubProject>(isHub ? source : '', () =>
    props.read(source)
  );
  const byAddress = isAddress(search);
  const shown = React.useMemo(
    () => (byAddress ? [] : matching(answer.items, search)),
    [answer.items, byAddress, search]
  );
  const chosen = shown.find(each => each.project === project);
  const name = byAddress ? decoded(search) : (chosen?.name ?? '');
  const folder = typed ?? (name && PathExt.join(parent, folderName(name)));
  React.useEffect(
    () =>
      onChange({
        source,
        search,
        project: chosen?.project ?? '',
        folder: typed ?? folder
      }),
    [onChange, source, search, chosen, typed, folder]
  );
  const keys = React.useRef<(event: React.KeyboardEvent) => void>();
  const id = React.useId();
  const onSearch = (text: string): void => {
    setSearch(text);
    const found = matching(answer.items, text);
    if (text.trim() && !found.some(each => each.project === project)) {
      setProject(found[0]?.project ?? '');
    }
  };
  return (
    <>
      <Problem text={error || answer.error} />
      <label>
        {trans.__('Hub')}
        <select
          className="jp-mod-styled"
          value={source}
          onChange={event => {
            setSource(event.target.value);
            setProject('');
          }}
        >
          {hubs.map(({ url, user }) => (
            <option key={url} value={url}>
              {trans.__('%1, as %2', url, user)}
            </option>
          ))}
          <option value={OTHER_HUB}>{trans.__('Another hub…')}</option>
        </select>
      </label>
      {isHub ? (
        <>
          <Field
            label={trans.__('Search, or the address of a project')}
            className="jp-DotscienceClone-search"
            type="text"
            role="combobox"
            aria-expanded={!byAddress}
            aria-controls={id}
            aria-activedescendant={
              chosen ? `${id}-${shown.indexOf(chosen)}` : undefined
            }
            autoComplete="off"
            spellCheck={false}
            value={search}
            onText={onSearch}
            onKeyDown={event => keys.current?.(event)}
          />
          {!byAddress && (
            <Projects
              id={id}
              source={source}
              projects={shown}
              isReading={answer.isReading}
              chosen={chosen}
              keys={keys}
              newest={props.newest}
              onChoose={setProject}
              trans={trans}
            />
          )}
          <Field
            label={trans.__('New folder')}
            type="text"
            placeholder={PathExt.join(parent, trans.__('name'))}
            value={folder}
            onText={text => setTyped(text || null)}
          />
          <p className="jp-DotscienceForm-hint">
            {trans.__(
              'The folder gets all files and the whole history of the project, and belongs to it: what is committed there goes to the hub.'
            )}
          </p>
        </>
      ) : (
        <p className="jp-DotscienceForm-hint">
          {trans.__('You are asked which hub it is, and to log in there.')}
        </p>
      )}
    </>
  );
}

interface IProjectsProps {
  id: string;
  source: string;
  projects: readonly HubProject[];
  isReading: boolean;
  chosen: HubProject | undefined;

  /** Where to leave what is done with keys that are pressed elsewhere. */
  keys: React.MutableRefObject<
    ((event: React.KeyboardEvent) => void) | undefined
  >;
  newest: ICloneOptions['newest'];
  onChoose: (project: string) => void;
  trans: TranslationBundle;
}

/**
 * The projects, of which only those that are visible are in the page.
 */
function Projects(props: IProjectsProps): React.ReactElement {
  const { chosen, id, keys, onChoose, projects, trans } = props;
  const total = projects.length;
  const list = useRows(total, 2);
  const newest = useNewest(props, projects.slice(list.first, list.end));
  const active = chosen ? projects.indexOf(chosen) : -1;
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const isText = event.target instanceof HTMLInputElement;
    const page = Math.floor(list.height / list.row);
    const to =
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      // what moves the cursor in a text is for the text
      (isText && (event.key === 'Home' || event.key === 'End'))
        ? null
        : rowAfterKey(event.key, active, page, total);
    if (to !== null) {
      list.show(to);
      onChoose(projects[to].project);
      event.preventDefault();
      event.stopPropagation();
    }
  };
  keys.current = onKeyDown;
  React.useLayoutEffect(() => {
    // One that was found by searching, or chosen before.
    if (active >= 0) {
      list.show(active);
    }
  }, [active, total]);
  const rows: React.ReactElement[] = [];
  for (let index = list.first; index < list.end; index++) {
    const project = projects[index];
    rows.push(
      <div
        key={project.project}
        id={`${id}-${index}`}
        role="option"
        className={`jp-DotscienceList-row ${index === active ? 'jp-mod-active' : ''}`}
        aria-selected={index === active}
        aria-posinset={index + 1}
        aria-setsize={total}
        data-index={index}
        style={{
          height: list.row,
          transform: `translateY(${index * list.row}px)`
        }}
      >
        <div className="jp-DotscienceClone-name" title={project.name}>
          {project.kind === 'dataset'
            ? trans.__('%1 (dataset)', project.name)
            : project.name}
        </div>
        <div className="jp-DotscienceClone-newest">
          {newestWords(newest.get(project.project), trans)}
        </div>
      </div>
    );
  }
  return (
    <>
      <div
        ref={list.ref}
        id={id}
        className="jp-DotscienceList jp-DotscienceClone-list"
        role="listbox"
        tabIndex={0}
        aria-label={trans.__('Projects')}
        aria-busy={props.isReading}
        aria-activedescendant={
          active >= list.first && active < list.end
            ? `${id}-${active}`
            : undefined
        }
        onScroll={list.onScroll}
        onKeyDown={onKeyDown}
        onClick={event => {
          const index = indexAt(event.target);
          if (index >= 0) {
            onChoose(projects[index].project);
          }
        }}
      >
        <div
          className="jp-DotscienceList-content"
          role="presentation"
          style={{ height: total * list.row }}
        >
          {rows}
        </div>
      </div>
      <div className="jp-DotscienceForm-hint" role="status">
        {props.isReading
          ? trans.__('Asking the hub…')
          : total === 0
            ? trans.__('There is none of that name that you may see.')
            : trans._n('%1 project', '%1 projects', total)}
      </div>
    </>
  );
}

/** The newest commits of projects, as far as they are known by now. */
function useNewest(
  props: Pick<IProjectsProps, 'newest' | 'source'>,
  visible: readonly HubProject[]
): ReadonlyMap<string, NewestCommit> {
  const { newest, source } = props;
  const [known, setKnown] = React.useState<ReadonlyMap<string, NewestCommit>>(
    new Map()
  );
  const asked = React.useRef(new Set<string>());
  const wanted = visible
    .map(each => each.project)
    .filter(project => !asked.current.has(project))
    .slice(0, MOST);
  React.useEffect(() => {
    if (wanted.length === 0) {
      return undefined;
    }
    const timer = window.setTimeout(() => {
      wanted.forEach(project => asked.current.add(project));
      newest(source, wanted)
        .then(found =>
          setKnown(
            before =>
              new Map([
                ...before,
                ...found.map(each => [each.project, each] as const)
              ])
          )
        )
        .catch(() => {
          // They are chosen by their names as well.
        });
    }, SETTLE);
    return () => window.clearTimeout(timer);
    // Other projects are asked about, not another array.
  }, [source, wanted.join(',')]);
  return known;
}

function newestWords(
  newest: NewestCommit | undefined,
  trans: TranslationBundle
): string {
  if (!newest) {
    return '';
  }
  if (!newest.created) {
    return trans.__('no commit yet');
  }
  return [
    formatTime(newest.created),
    trans._n('%1 commit', '%1 commits', newest.commits),
    newest.author,
    firstLine(newest.message)
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The projects whose names hold all words that are searched for. */
function matching(
  projects: readonly HubProject[],
  search: string
): readonly HubProject[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return projects.filter(({ name }) =>
    words.every(word => name.toLowerCase().includes(word))
  );
}

/** What a folder with a project is called unless the user says otherwise. */
function folderName(name: string): string {
  return name
    .slice(name.replace(/\/+$/, '').lastIndexOf('/') + 1)
    .replace(NOT_IN_FOLDERS, '-')
    .replace(/^[.\s]+/, '')
    .trim();
}

/** An address as people write names in it. */
function decoded(address: string): string {
  try {
    return decodeURIComponent(address.trim().replace(/^hub:/, ''));
  } catch {
    return address;
  }
}
