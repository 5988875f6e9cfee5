export interface MayImportRow {
  readonly folder: string;
  readonly values: readonly (string | RegExp)[];
  readonly types?: readonly string[];
  readonly specs?: readonly string[];
  readonly advice: string;
}
export declare const MAY_IMPORT: readonly MayImportRow[];
export declare function rowOf(file: string): MayImportRow | undefined;
export declare function refusalOf(file: string, specifier: string, typeOnly: boolean): string | undefined;
