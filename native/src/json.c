/* JSON: text to a tree in an arena. Strict: RFC 8259, and no numbers beyond double precision. */
#include "json.h"

size_t text_length(const char *text) {
  const volatile char *end = text; /* volatile: else compilers make it a call of strlen */
  while (*end) end++;
  return (size_t)(end - text);
}

int bytes_order(const void *a, const void *b, size_t size) {
  const unsigned char *left = a, *right = b;
  for (size_t i = 0; i < size; i++)
    if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
  return 0;
}

typedef struct {
  const unsigned char *at, *end;
  char *text; /* where the next text is written: never more than its source */
  Json *nodes;
  size_t used, room;
  int depth;
} Reader;

static int read_value(Reader *reader, int depth);

static void skip_space(Reader *reader) {
  while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t')) reader->at++;
}

static int take(Reader *reader, char wanted) {
  skip_space(reader);
  if (reader->at >= reader->end || *reader->at != (unsigned char)wanted) return 0;
  reader->at++;
  return 1;
}

static int hex_digits(const unsigned char *at, const unsigned char *end, uint32_t *out) {
  if (end - at < 4) return 0;
  *out = 0;
  for (int i = 0; i < 4; i++) {
    unsigned char c = at[i];
    uint32_t digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
    if (digit > 15) return 0;
    *out = *out * 16 + digit;
  }
  return 1;
}

static char *put_code(char *out, uint32_t code) {
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xC0 | code >> 6), *out++ = (char)(0x80 | (code & 63));
  } else if (code < 0x10000) {
    *out++ = (char)(0xE0 | code >> 12), *out++ = (char)(0x80 | (code >> 6 & 63)), *out++ = (char)(0x80 | (code & 63));
  } else {
    *out++ = (char)(0xF0 | code >> 18), *out++ = (char)(0x80 | (code >> 12 & 63));
    *out++ = (char)(0x80 | (code >> 6 & 63)), *out++ = (char)(0x80 | (code & 63));
  }
  return out;
}

/* Bytes of the UTF-8 character at `at`; 0: none. No overlong forms, no surrogates (Unicode 15, table 3-7). */
static size_t utf8_size(const unsigned char *at, const unsigned char *end) {
  unsigned char c = at[0];
  size_t size = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
  if (size == 0 || (size_t)(end - at) < size) return 0;
  for (size_t i = 1; i < size; i++)
    if ((at[i] & 0xC0) != 0x80) return 0;
  if ((c == 0xE0 && at[1] < 0xA0) || (c == 0xED && at[1] > 0x9F) || (c == 0xF0 && at[1] < 0x90) || (c == 0xF4 && at[1] > 0x8F)) return 0;
  return size;
}

/* The \u escape at `at`, after the u, as one character; a pair of surrogates counts as one. */
static int read_unicode(Reader *reader, uint32_t *code) {
  uint32_t low;
  if (!hex_digits(reader->at, reader->end, code)) return 0;
  reader->at += 4;
  if (*code >= 0xDC00 && *code < 0xE000) return 0;
  if (*code < 0xD800 || *code >= 0xDC00) return 1;
  if (reader->end - reader->at < 6 || reader->at[0] != '\\' || reader->at[1] != 'u') return 0;
  if (!hex_digits(reader->at + 2, reader->end, &low) || low < 0xDC00 || low >= 0xE000) return 0;
  reader->at += 6;
  *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
  return 1;
}

static int read_text(Reader *reader, const char **text, uint32_t *length) {
  if (!take(reader, '"')) return 0;
  char *out = reader->text;
  *text = out;
  for (;;) {
    if (reader->at >= reader->end || *reader->at < 0x20) return 0;
    unsigned char c = *reader->at;
    if (c == '"') break;
    if (c != '\\') {
      size_t size = utf8_size(reader->at, reader->end);
      if (size == 0) return 0;
      for (size_t i = 0; i < size; i++) *out++ = (char)*reader->at++;
      continue;
    }
    if (reader->end - reader->at < 2) return 0;
    c = reader->at[1];
    reader->at += 2;
    uint32_t code = c == 'b' ? 8 : c == 'f' ? 12 : c == 'n' ? 10 : c == 'r' ? 13 : c == 't' ? 9 : c == '"' || c == '\\' || c == '/' ? c : 0;
    if (code == 0 && (c != 'u' || !read_unicode(reader, &code))) return 0;
    out = put_code(out, code);
  }
  reader->at++;
  *length = (uint32_t)(out - *text);
  *out++ = 0; /* in the place of a quotation mark */
  reader->text = out;
  return 1;
}

static int digits(Reader *reader) {
  const unsigned char *start = reader->at;
  while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') reader->at++;
  return reader->at > start;
}

static double power_of_ten(int64_t exponent) {
  double power = 1.0, base = 10.0;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1) power *= base;
  return power;
}

/* Exact for up to 15 digits and exponents to 22, else to a few units in the last place. */
static int read_number(Reader *reader, Json *node) {
  const unsigned char *start = reader->at, *point = NULL;
  if (*reader->at == '-') reader->at++;
  const unsigned char *first = reader->at;
  if (!digits(reader) || (*first == '0' && reader->at - first > 1)) return 0;
  const unsigned char *last = reader->at;
  if (reader->at < reader->end && *reader->at == '.') {
    point = reader->at++;
    if (!digits(reader)) return 0;
    last = reader->at;
  }
  int64_t exponent = 0;
  node->whole = point == NULL;
  if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
    reader->at++;
    int negative = reader->at < reader->end && *reader->at == '-';
    if (reader->at < reader->end && (*reader->at == '-' || *reader->at == '+')) reader->at++;
    const unsigned char *from = reader->at;
    if (!digits(reader)) return 0;
    for (; from < reader->at; from++)
      if (exponent < 100000) exponent = exponent * 10 + (*from - '0');
    exponent = negative ? -exponent : exponent;
    node->whole = 0;
  }
  uint64_t mantissa = 0;
  for (const unsigned char *at = first; at < last; at++) {
    if (at == point) continue;
    if (mantissa < 1000000000000000000ull) {
      mantissa = mantissa * 10 + (uint64_t)(*at - '0');
      exponent -= point != NULL && at > point;
    } else {
      exponent += point == NULL || at < point;
    }
  }
  double number = (double)mantissa;
  for (; exponent < 0 && number != 0.0; exponent += exponent < -300 ? 300 : -exponent) number /= power_of_ten(exponent < -300 ? 300 : -exponent);
  if (exponent > 400) exponent = 400;
  if (exponent > 0 && number != 0.0) number *= power_of_ten(exponent);
  if (!(number <= 1.79e308)) return 0;
  node->kind = JSON_NUMBER;
  node->number = *start == '-' ? -number : number;
  return 1;
}

static int read_word(Reader *reader, const char *word, size_t size) {
  if ((size_t)(reader->end - reader->at) < size || bytes_order(reader->at, word, size) != 0) return 0;
  reader->at += size;
  return 1;
}

static int read_entries(Reader *reader, Json *node, size_t place, int depth) {
  char close = node->kind == JSON_ARRAY ? ']' : '}';
  reader->at++;
  if (depth == 0) return 0;
  node->flat = 1;
  if (!take(reader, close)) {
    for (;;) {
      const char *key = NULL;
      uint32_t key_size = 0;
      if (node->kind == JSON_OBJECT && (!read_text(reader, &key, &key_size) || !take(reader, ':'))) return 0;
      Json *entry = reader->nodes + reader->used;
      if (!read_value(reader, depth - 1)) return 0;
      entry->key = key;
      entry->key_size = key_size;
      node->flat = node->flat && entry->skip == 1;
      node->count++;
      if (take(reader, ',')) continue;
      if (!take(reader, close)) return 0;
      break;
    }
  }
  node->skip = (uint32_t)(reader->used - place);
  return 1;
}

static int read_value(Reader *reader, int depth) {
  skip_space(reader);
  if (reader->at >= reader->end || reader->used >= reader->room) return 0;
  size_t place = reader->used++;
  Json *node = reader->nodes + place;
  *node = (Json){.skip = 1};
  switch (*reader->at) {
    case '"':
      node->kind = JSON_TEXT;
      return read_text(reader, &node->text, &node->text_size);
    case '[':
    case '{':
      node->kind = *reader->at == '[' ? JSON_ARRAY : JSON_OBJECT;
      return read_entries(reader, node, place, depth);
    case 'n':
      return read_word(reader, "null", 4);
    case 't':
      node->kind = JSON_TRUE;
      return read_word(reader, "true", 4);
    case 'f':
      node->kind = JSON_FALSE;
      return read_word(reader, "false", 5);
    default:
      return read_number(reader, node);
  }
}

Status json_read(const Json **out, const char *text, size_t size, int depth, Arena *arena) {
  if (size > 0x7FFFFFFF) return TS_DAMAGED;
  size_t room = 2; /* every further value follows one of these characters */
  for (size_t i = 0; i < size; i++) room += text[i] == ',' || text[i] == '[' || text[i] == '{';
  Reader reader = {.at = (const unsigned char *)text, .end = (const unsigned char *)text + size, .room = room};
  reader.nodes = TAKE(arena, Json, room);
  reader.text = TAKE(arena, char, size + 1);
  if (reader.nodes == NULL || reader.text == NULL) return TS_MEMORY;
  if (!read_value(&reader, depth)) return TS_DAMAGED;
  skip_space(&reader);
  if (reader.at != reader.end) return TS_DAMAGED;
  *out = reader.nodes;
  return TS_OK;
}

JsonKind json_kind(const Json *json) { return json == NULL ? JSON_NULL : (JsonKind)json->kind; }

static int same(const char *text, uint32_t size, const char *other, size_t other_size) {
  return text != NULL && size == other_size && bytes_order(text, other, size) == 0;
}

static const Json *entry_of(const Json *json, const char *key, size_t size) {
  if (json_kind(json) != JSON_OBJECT) return NULL;
  const Json *found = NULL, *at = json + 1;
  for (uint32_t i = 0; i < json->count; i++, at += at->skip)
    if (same(at->key, at->key_size, key, size)) found = at;
  return found;
}

const Json *json_entry(const Json *json, const char *key) { return entry_of(json, key, text_length(key)); }

const Json *json_at(const Json *json, const char *path) {
  while (json != NULL && *path) {
    size_t size = 0;
    while (path[size] && path[size] != '.') size++;
    json = entry_of(json, path, size);
    path += size + (path[size] == '.');
  }
  return json;
}

double json_number(const Json *json, double otherwise) { return json_kind(json) == JSON_NUMBER ? json->number : otherwise; }

int json_whole(const Json *json, int64_t low, int64_t high, int64_t *out) {
  if (json_kind(json) != JSON_NUMBER || !json->whole || !(json->number >= (double)low && json->number <= (double)high)) return 0;
  *out = (int64_t)json->number;
  return 1;
}

int json_is(const Json *json, const char *text) {
  return json_kind(json) == JSON_TEXT && same(json->text, json->text_size, text, text_length(text));
}

size_t json_count(const Json *json) { return json_kind(json) >= JSON_ARRAY ? json->count : 0; }

const Json *json_item(const Json *json, size_t index) {
  if (index >= json_count(json)) return NULL;
  if (json->flat) return json + 1 + index;
  const Json *at = json + 1;
  while (index-- > 0) at += at->skip;
  return at;
}

size_t json_text(const Json *json, char *out, size_t size) {
  size_t length = json_kind(json) == JSON_TEXT ? json->text_size : 0;
  if (size > 0) {
    size_t kept = length < size ? length : size - 1;
    if (kept > 0) __builtin_memcpy(out, json->text, kept);
    out[kept] = 0;
  }
  return length;
}
