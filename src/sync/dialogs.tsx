// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { HubLogin, HubProject } from '../api/schema';
import { isExposed } from './words';

/** What an address looks like. */
const EXAMPLE = 'https://hub.example.org';

/**
 * What somebody says about who they are on a hub.
 */
export interface ILoginAnswer {
  /** The hub's address. */
  url: string;

  /** Their name; `''` with a key. */
  user: string;

  /** Their password; `''` with a key, or when they go on as who they are already. */
  password: string;

  /** An API key in place of both. */
  key: string;
}

/**
 * Which project somebody chose.
 */
export interface IProjectAnswer {
  /** The id of one that is there; `''` for a new one. */
  project: string;

  /** The name of a new one. */
  name: string;
}

/**
 * Ask which hub, and who the user is there.
 *
 * @param options.known - The hubs on which the user is logged in
 * @param options.url - The address to begin with
 * @param options.user - The name to begin with
 * @param options.isFixed - Whether the address may not be changed
 * @param options.error - Why the last answer would not do
 * @returns The answer, or null if the user did not want to
 */
export async function askLogin(options: {
  known: readonly HubLogin[];
  url: string;
  user: string;
  isFixed: boolean;
  error: string;
  trans: TranslationBundle;
}): Promise<ILoginAnswer | null> {
  const { trans } = options;
  const { button, value } = await showDialog({
    title: options.isFixed
      ? trans.__('Log In on the Hub')
      : trans.__('Connect to a Hub'),
    body: new LoginForm(options),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Log In') })
    ],
    focusNodeSelector: options.url
      ? '.jp-DotscienceHubForm-user'
      : '.jp-DotscienceHubForm-url'
  });
  return button.accept ? value : null;
}

/**
 * Ask which project, or what a new one is to be called.
 *
 * @param options.login - The hub, and who the user is there
 * @param options.projects - What is there
 * @param options.name - What a new one is called unless the user says otherwise
 * @param options.error - Why the last answer would not do
 * @returns The answer, or null if the user did not want to
 */
export async function askProject(options: {
  login: HubLogin;
  projects: readonly HubProject[];
  name: string;
  error: string;
  trans: TranslationBundle;
}): Promise<IProjectAnswer | null> {
  const { login, trans } = options;
  const { button, value } = await showDialog({
    title: trans.__('Choose the Project on %1', login.url),
    body: new ProjectForm(options),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Connect') })
    ],
    focusNodeSelector: '.jp-DotscienceHubForm-project'
  });
  return button.accept ? value : null;
}

type LoginProps = Parameters<typeof askLogin>[0];
type ProjectProps = Parameters<typeof askProject>[0];

class LoginForm extends ReactWidget {
  /**
   * Create the form.
   */
  constructor(private readonly _props: LoginProps) {
    super();
    this.addClass('jp-DotscienceHubForm');
    this._value = {
      url: _props.url,
      user: _props.user,
      password: '',
      key: ''
    };
  }

  /** What was filled in. */
  getValue(): ILoginAnswer {
    return this._value;
  }

  protected render(): React.ReactElement {
    return (
      <LoginFields
        {...this._props}
        onChange={value => {
          this._value = value;
        }}
      />
    );
  }

  private _value: ILoginAnswer;
}

class ProjectForm extends ReactWidget {
  /**
   * Create the form.
   */
  constructor(private readonly _props: ProjectProps) {
    super();
    this.addClass('jp-DotscienceHubForm');
    this._value = {
      project: ownProject(_props)?.project ?? '',
      name: _props.name
    };
  }

  /** What was chosen. */
  getValue(): IProjectAnswer {
    return this._value;
  }

  protected render(): React.ReactElement {
    return (
      <ProjectFields
        {...this._props}
        value={this._value}
        onChange={value => {
          this._value = value;
        }}
      />
    );
  }

  private _value: IProjectAnswer;
}

function LoginFields(
  props: LoginProps & { onChange: (value: ILoginAnswer) => void }
): React.ReactElement {
  const { error, isFixed, known, onChange, trans } = props;
  const [url, setUrl] = React.useState(props.url);
  const [user, setUser] = React.useState(props.user);
  const [password, setPassword] = React.useState('');
  const [key, setKey] = React.useState('');
  const [withKey, setWithKey] = React.useState(false);
  const id = React.useId();
  React.useEffect(() => {
    onChange(
      withKey
        ? { url, user: '', password: '', key }
        : { url, user, password, key: '' }
    );
  }, [onChange, url, user, password, key, withKey]);
  const login = isFixed ? undefined : loginFor(known, url);
  return (
    <>
      {error && (
        <p className="jp-DotscienceHubForm-error" role="alert">
          {error}
        </p>
      )}
      <label>
        {trans.__('Address of the hub')}
        <input
          className="jp-mod-styled jp-DotscienceHubForm-url"
          type="url"
          list={id}
          placeholder={EXAMPLE}
          value={url}
          readOnly={isFixed}
          onChange={event => setUrl(event.target.value)}
        />
      </label>
      <datalist id={id}>
        {known.map(each => (
          <option key={each.url} value={each.url} />
        ))}
      </datalist>
      {isExposed(url) && (
        <p className="jp-DotscienceHubForm-warning" role="note">
          {trans.__(
            'This address is not encrypted (http): who listens on the way learns your password and your key.'
          )}
        </p>
      )}
      {login && (
        <p role="note">
          {trans.__(
            'You are logged in there as %1. Leave the rest empty to go on.',
            login.user
          )}
        </p>
      )}
      {withKey ? (
        <label>
          {trans.__('API key')}
          <input
            className="jp-mod-styled jp-DotscienceHubForm-user"
            type="password"
            autoComplete="off"
            value={key}
            onChange={event => setKey(event.target.value)}
          />
        </label>
      ) : (
        <>
          <label>
            {trans.__('User')}
            <input
              className="jp-mod-styled jp-DotscienceHubForm-user"
              type="text"
              autoComplete="username"
              value={user}
              onChange={event => setUser(event.target.value)}
            />
          </label>
          <label>
            {trans.__('Password')}
            <input
              className="jp-mod-styled"
              type="password"
              autoComplete="off"
              value={password}
              onChange={event => setPassword(event.target.value)}
            />
          </label>
        </>
      )}
      <label className="jp-DotscienceHubForm-choice">
        <input
          type="checkbox"
          checked={withKey}
          onChange={event => setWithKey(event.target.checked)}
        />
        {trans.__('Log in with an API key')}
      </label>
      <p className="jp-DotscienceHubForm-hint">
        {trans.__(
          'The password is exchanged for an API key, which is kept in your Jupyter configuration, where only you can read it. The password is kept nowhere.'
        )}
      </p>
    </>
  );
}

function ProjectFields(
  props: ProjectProps & {
    value: IProjectAnswer;
    onChange: (value: IProjectAnswer) => void;
  }
): React.ReactElement {
  const { error, onChange, projects, trans } = props;
  const [project, setProject] = React.useState(props.value.project);
  const [name, setName] = React.useState(props.value.name);
  React.useEffect(() => {
    onChange({ project, name });
  }, [onChange, project, name]);
  return (
    <>
      {error && (
        <p className="jp-DotscienceHubForm-error" role="alert">
          {error}
        </p>
      )}
      <label>
        {trans.__('Project')}
        <select
          className="jp-mod-styled jp-DotscienceHubForm-project"
          value={project}
          onChange={event => setProject(event.target.value)}
        >
          <option value="">{trans.__('A new project')}</option>
          {projects.map(each => (
            <option key={each.project} value={each.project}>
              {each.name}
            </option>
          ))}
        </select>
      </label>
      {project === '' && (
        <label>
          {trans.__('Name of the new project')}
          <input
            className="jp-mod-styled"
            type="text"
            maxLength={100}
            value={name}
            onChange={event => setName(event.target.value)}
          />
        </label>
      )}
      <p className="jp-DotscienceHubForm-hint">
        {trans.__(
          'Every commit of this workspace is sent there from now on, with its files and runs. Ignored files stay here.'
        )}
      </p>
    </>
  );
}

/**
 * The login that an address means.
 *
 * @param known - The hubs on which the user is logged in
 * @param url - The address, as somebody types it
 */
export function loginFor(
  known: readonly HubLogin[],
  url: string
): HubLogin | undefined {
  const wanted = url.trim().replace(/\/+$/, '');
  return known.find(each => each.url === wanted);
}

/** The user's own project that is called as a new one would be. */
function ownProject(props: {
  login: HubLogin;
  projects: readonly HubProject[];
  name: string;
}): HubProject | undefined {
  const wanted = `${props.login.user}/${props.name}`;
  return props.projects.find(each => each.name === wanted);
}
