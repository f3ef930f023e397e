import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { TidemillError } from '../../core/domain/errors.ts';

/** Markup to be written as it is; plain strings are escaped. */
export type Markup = { readonly markup: string };
export type Content = string | number | boolean | Markup;

/** One element; `undefined` content leaves it out, so that optional fields read well. */
export function element(name: string, content: Content | readonly Content[] | undefined, attributes = ''): Markup {
  if (content === undefined) return { markup: '' };
  const inner = Array.isArray(content) ? content.map(toMarkup).join('') : toMarkup(content as Content);
  return { markup: `<${name}${attributes}>${inner}</${name}>` };
}

export function xmlDocument(root: Markup): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root.markup}`;
}

function toMarkup(content: Content): string {
  return typeof content === 'object' ? content.markup : escapeXml(String(content));
}

/** Characters that XML cannot carry, or would change, become character references, as both vendors write them. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"]|[^ -~\u00a0-\u2027\u2029-\ufffd]/g, (c) => {
    if (c === '&') return '&amp;';
    if (c === '<') return '&lt;';
    if (c === '>') return '&gt;';
    return c === '"' ? '&quot;' : `&#${c.charCodeAt(0)};`;
  });
}

type Parsed = string | { readonly [name: string]: Parsed | readonly Parsed[] };

/** A parsed element: text, or child elements by name. Attributes and namespace prefixes are dropped. */
export class XmlElement {
  private readonly value: Parsed;

  constructor(value: Parsed) {
    this.value = value;
  }

  children(name: string): readonly XmlElement[] {
    if (typeof this.value === 'string' || !Object.hasOwn(this.value, name)) return [];
    const found = this.value[name];
    if (found === undefined) return [];
    return (Array.isArray(found) ? found : [found]).map((value: Parsed) => new XmlElement(value));
  }

  child(name: string): XmlElement | undefined {
    return this.children(name)[0];
  }

  /** Text of the first child of that name. */
  text(name: string): string | undefined {
    const value = this.child(name)?.value;
    return typeof value === 'string' ? decodeEntities(value) : undefined;
  }

  childNames(): readonly string[] {
    return typeof this.value === 'string' ? [] : Object.keys(this.value).filter((name) => name !== '#text');
  }
}

const PARSER = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
});

/** Parses a document with this root element. Throws MalformedXML; documents with a DOCTYPE are refused. */
export function parseXml(text: string, root: string): XmlElement {
  if (/<!(?!--|\[CDATA\[)/.test(text)) throw malformed('a document type is not allowed');
  try {
    if (XMLValidator.validate(text) !== true) throw malformed('it is not well-formed');
    const found = new XmlElement(PARSER.parse(text) as Parsed).child(root);
    if (found === undefined) throw malformed(`the root element is not ${root}`);
    return found;
  } catch (error) {
    throw error instanceof TidemillError ? error : malformed('it is not well-formed');
  }
}

export function malformed(what: string): TidemillError {
  return new TidemillError('MalformedXML', `The XML document is not as expected: ${what}`);
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The five entities of XML and character references; nothing can be defined, so nothing expands. */
function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]+));/g, (all, decimal, hex, name) => {
    if (name !== undefined) return Object.hasOwn(ENTITIES, name) ? (ENTITIES[name] ?? all) : all;
    const point = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return point > 0x10ffff ? all : String.fromCodePoint(point);
  });
}
