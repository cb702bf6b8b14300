/** What the tests use of dockerode 4, which has no types of its own. */
declare module 'dockerode' {
  namespace Docker {
    type Options = Readonly<Record<string, unknown>>;

    interface Exec {
      start(options: Options): Promise<import('node:stream').Duplex>;
      inspect(): Promise<object>;
    }

    interface Container {
      readonly id: string;
      readonly modem: Modem;
      start(): Promise<void>;
      stop(): Promise<void>;
      kill(): Promise<void>;
      pause(): Promise<void>;
      unpause(): Promise<void>;
      wait(): Promise<{ readonly StatusCode: number }>;
      remove(options?: Options): Promise<void>;
      rename(options: Options): Promise<void>;
      resize(options: Options): Promise<void>;
      update(options: Options): Promise<object>;
      inspect(): Promise<object>;
      top(): Promise<object>;
      stats(options: Options): Promise<object>;
      logs(options: Options): Promise<Buffer>;
      exec(options: Options): Promise<Exec>;
      attach(options: Options): Promise<import('node:stream').Duplex>;
    }

    interface Image {
      inspect(): Promise<object>;
      history(): Promise<readonly object[]>;
      tag(options: Options): Promise<void>;
      get(): Promise<NodeJS.ReadableStream>;
      remove(): Promise<readonly object[]>;
    }

    /** A volume, or a network. */
    interface Thing {
      inspect(): Promise<object>;
      remove(): Promise<void>;
    }

    interface Modem {
      demuxStream(from: NodeJS.ReadableStream, stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream): void;
      followProgress(stream: NodeJS.ReadableStream, done: (error: Error | null, all: readonly { readonly stream?: string; readonly error?: string }[]) => void): void;
    }
  }

  class Docker {
    constructor(options: Docker.Options);
    readonly modem: Docker.Modem;
    createContainer(options: Docker.Options): Promise<Docker.Container>;
    getContainer(id: string): Docker.Container;
    listContainers(options?: Docker.Options): Promise<readonly { readonly Id: string }[]>;
    pruneContainers(): Promise<{ readonly ContainersDeleted: readonly string[] }>;
    run(image: string, command: readonly string[], stream: NodeJS.WritableStream | readonly NodeJS.WritableStream[], options: Docker.Options): Promise<readonly unknown[]>;
    buildImage(context: Docker.Options, options: Docker.Options): Promise<NodeJS.ReadableStream>;
    getImage(name: string): Docker.Image;
    listImages(options: Docker.Options): Promise<readonly object[]>;
    createNetwork(options: Docker.Options): Promise<Docker.Thing>;
    listNetworks(options: Docker.Options): Promise<readonly object[]>;
    createVolume(options: Docker.Options): Promise<object>;
    getVolume(name: string): Docker.Thing;
    listVolumes(options: Docker.Options): Promise<object>;
    listServices(): Promise<readonly object[]>;
    listPlugins(): Promise<readonly object[]>;
    ping(): Promise<unknown>;
    version(): Promise<object>;
    info(): Promise<object>;
    df(): Promise<object>;
  }

  export = Docker;
}
