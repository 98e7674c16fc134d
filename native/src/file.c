/* Reads a .safetensors file in memory: 8 bytes of length, a JSON header, the tensors one after the other without holes. */
#include "file.h"

#include <stdarg.h>

enum { OTHER_TYPE = 100, OUTER_DEPTH = 4, INNER_DEPTH = 16 };
static const char *const FORMAT = "timbrespace-instrument";
static const int64_t VERSION = 1;
static const size_t LONGEST_HEADER = 100000000, TABLES = 16 << 20;

static size_t put_number(char *out, size_t at, size_t size, int64_t number) {
  char digits[24];
  int count = 0;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do digits[count++] = (char)('0' + rest % 10);
  while ((rest /= 10) > 0);
  if (number < 0) digits[count++] = '-';
  while (count > 0 && at + 1 < size) out[at++] = digits[--count];
  return at;
}

/* A number with up to three decimals. */
static size_t put_decimal(char *out, size_t at, size_t size, double number) {
  const char *word = number != number ? "nan" : number > 1e15 ? "beyond 1e15" : number < -1e15 ? "beyond -1e15" : "";
  for (; *word && at + 1 < size; word++) out[at++] = *word;
  if (!(number >= -1e15 && number <= 1e15)) return at;
  if (number < 0.0 && at + 1 < size) out[at++] = '-';
  int64_t thousandths = (int64_t)((number < 0.0 ? -number : number) * 1000.0 + 0.5), rest = thousandths % 1000;
  at = put_number(out, at, size, thousandths / 1000);
  if (rest && at + 1 < size) out[at++] = '.';
  for (int64_t place = 100; rest && at + 1 < size; rest %= place, place /= 10) out[at++] = (char)('0' + rest / place);
  return at;
}

static void format_list(char *out, size_t size, const char *format, va_list values) {
  size_t at = 0;
  for (; *format && at + 1 < size; format++) {
    if (format[0] == '%' && format[1] == 's') {
      for (const char *text = va_arg(values, const char *); *text && at + 1 < size; text++) out[at++] = *text;
      format++;
    } else if (format[0] == '%' && format[1] == 'd') {
      at = put_number(out, at, size, va_arg(values, int64_t));
      format++;
    } else if (format[0] == '%' && format[1] == 'f') {
      at = put_decimal(out, at, size, va_arg(values, double));
      format++;
    } else {
      out[at++] = *format;
    }
  }
  out[at] = 0;
}

void text_format(char *out, size_t size, const char *format, ...) {
  if (size == 0) return;
  va_list values;
  va_start(values, format);
  format_list(out, size, format, values);
  va_end(values);
}

Status file_fault(const File *file, Status status, const char *format, ...) {
  if (file->message[0] == 0) {
    va_list values;
    va_start(values, format);
    format_list(file->message, MESSAGE_SIZE, format, values);
    va_end(values);
  }
  return status;
}

static uint64_t header_size(const unsigned char *bytes) {
  uint64_t size = 0;
  for (int i = 7; i >= 0; i--) size = size << 8 | bytes[i];
  return size;
}

size_t file_memory(const void *bytes, size_t size) {
  const unsigned char *text = (const unsigned char *)bytes + 8;
  uint64_t header = size < 8 ? 0 : header_size(bytes);
  if (size < 8 || header > size - 8 || header > LONGEST_HEADER) return 0;
  size_t nodes = 8; /* of both headers; an escape may hide one of these characters */
  for (uint64_t i = 0; i < header; i++) nodes += text[i] == ',' || text[i] == '[' || text[i] == '{' || text[i] == '\\';
  size_t tensors = 4 * (size - 8 - (size_t)header); /* a byte may become a float */
  return nodes * 2 * sizeof(Json) + 4 * (size_t)header + MOST_TENSORS * (sizeof(Tensor) + 64) + tensors + TABLES;
}

static int type_of(const Json *dtype, int64_t *size) {
  static const struct {
    const char *name;
    int type, size;
  } TYPES[] = {{"F32", TS_F32, 4}, {"F16", TS_F16, 2}, {"I8", TS_I8, 1}, {"F64", OTHER_TYPE, 8}, {"BF16", OTHER_TYPE, 2}};
  for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
    if (json_is(dtype, TYPES[i].name)) {
      *size = TYPES[i].size;
      return TYPES[i].type;
    }
  return -1;
}

/* One entry of the header as a tensor. Its place is within the data, and fits its shape. */
static int read_tensor(const File *file, const Json *entry, Tensor *tensor) {
  const Json *shape = json_entry(entry, "shape"), *offsets = json_entry(entry, "data_offsets");
  int64_t size, begin, end, axis;
  int type = type_of(json_entry(entry, "dtype"), &size);
  if (type < 0 || json_kind(shape) != JSON_ARRAY || json_kind(offsets) != JSON_ARRAY || json_count(offsets) != 2) return 0;
  if (!json_whole(json_item(offsets, 0), 0, (int64_t)file->size, &begin) || !json_whole(json_item(offsets, 1), begin, (int64_t)file->size, &end))
    return 0;
  size_t axes = json_count(shape);
  for (size_t i = 0; i < axes; i++) {
    if (!json_whole(json_item(shape, i), 0, INT64_C(1) << 40, &axis)) return 0;
    if (i < MOST_AXES) tensor->shape[i] = axis;
    if (axis != 0 && size > INT64_MAX / 2 / axis) return 0;
    size *= axis;
  }
  if (size != end - begin || axes > 64) return 0;
  tensor->type = (Type)type;
  tensor->axes = (int)axes;
  tensor->data = file->data + begin;
  return 1;
}

/* Whether the tensors fill the data without holes and overlaps. order: room for an index a tensor. */
static int fills(const File *file, const int64_t (*places)[2], uint32_t count, uint32_t *order) {
  for (uint32_t i = 0; i < count; i++) { /* insertion: writers order the header by offset */
    uint32_t at = i;
    for (; at > 0; at--) {
      const int64_t *before = places[order[at - 1]];
      if (before[0] < places[i][0] || (before[0] == places[i][0] && before[1] <= places[i][1])) break;
      order[at] = order[at - 1];
    }
    order[at] = i;
  }
  int64_t end = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (places[order[i]][0] != end) return 0;
    end = places[order[i]][1];
  }
  return end == (int64_t)file->size;
}

static Status read_tensors(File *file, Arena *arena) {
  size_t count = json_count(file->entries);
  if (count > MOST_TENSORS) return file_fault(file, TS_UNCOVERED, "the file has %d tensors, allowed are %d", (int64_t)count, (int64_t)MOST_TENSORS);
  file->tensors = TAKE(arena, Tensor, count + 1);
  size_t used = arena->used;
  int64_t(*places)[2] = (int64_t(*)[2])arena_take(arena, count + 1, sizeof *places);
  uint32_t *order = TAKE(arena, uint32_t, count + 1), found = 0;
  if (file->tensors == NULL || places == NULL || order == NULL) return TS_MEMORY;
  const Json *entry = file->entries + 1;
  for (size_t i = 0; i < count; i++, entry += entry->skip) {
    Tensor *tensor = file->tensors + i;
    tensor->type = (Type)-1;
    if (entry->key_size == 12 && bytes_order(entry->key, "__metadata__", 12) == 0) continue;
    if (!read_tensor(file, entry, tensor))
      return file_fault(file, TS_DAMAGED, "tensor %s has a type, shape or place that cannot be; the file is damaged", entry->key);
    places[found][0] = (const unsigned char *)tensor->data - file->data;
    places[found][1] = (int64_t)json_item(json_entry(entry, "data_offsets"), 1)->number;
    found++;
  }
  if (!fills(file, (const int64_t(*)[2])places, found, order))
    return file_fault(file, TS_DAMAGED, "the tensors do not fill the file: it is cut short or damaged");
  arena->used = used;
  return TS_OK;
}

static Status read_header(File *file, Arena *arena) {
  const Json *text = json_entry(json_entry(file->entries, "__metadata__"), "timbrespace");
  int64_t version;
  Status status = json_kind(text) == JSON_TEXT ? json_read(&file->header, text->text, text->text_size, INNER_DEPTH, arena) : TS_DAMAGED;
  if (status == TS_MEMORY) return status;
  if (status != TS_OK || !json_is(json_entry(file->header, "format"), FORMAT))
    return file_fault(file, TS_DAMAGED, "this is not a timbrespace instrument; give a file made by `timbrespace train`");
  if (!json_whole(json_entry(file->header, "version"), 0, INT64_C(1) << 50, &version))
    return file_fault(file, TS_DAMAGED, "the instrument's version is no whole number; the file is damaged");
  if (version > VERSION)
    return file_fault(file, TS_VERSION, "the instrument has version %d and was made by a newer timbrespace, this one reads %d; update timbrespace",
                      version, VERSION);
  if (version < VERSION)
    return file_fault(file, TS_VERSION, "the instrument has version %d, this timbrespace reads %d; train it again", version, VERSION);
  return TS_OK;
}

Status file_open(File **out, const void *bytes, size_t size, Arena *arena) {
  File *file = TAKE(arena, File, 1);
  if (file == NULL) return TS_MEMORY;
  *file = (File){.message = TAKE(arena, char, MESSAGE_SIZE)};
  if (file->message == NULL) return TS_MEMORY;
  file->message[0] = 0;
  *out = file;
  uint64_t header = bytes == NULL || size < 8 ? UINT64_MAX : header_size(bytes);
  if (header == UINT64_MAX || header > size - 8 || header > LONGEST_HEADER)
    return file_fault(file, TS_DAMAGED, "these %d bytes are not a timbrespace instrument; give a file made by `timbrespace train`", (int64_t)size);
  const char *text = (const char *)bytes + 8;
  file->data = (const unsigned char *)text + header;
  file->size = size - 8 - (size_t)header;
  Status status = json_read(&file->entries, text, (size_t)header, OUTER_DEPTH, arena);
  if (status == TS_DAMAGED || (status == TS_OK && json_kind(file->entries) != JSON_OBJECT))
    return file_fault(file, TS_DAMAGED, "this is not a timbrespace instrument; give a file made by `timbrespace train`");
  if (status == TS_OK) status = read_header(file, arena);
  if (status == TS_OK) status = categories_open(file, arena);
  if (status == TS_OK) status = read_tensors(file, arena);
  return status;
}

const Json *file_header(const File *file) { return file->header; }

const Tensor *file_tensor(const File *file, const char *name) {
  const Json *entry = file->entries + 1;
  const Tensor *found = NULL;
  size_t size = text_length(name);
  for (size_t i = 0; i < json_count(file->entries); i++, entry += entry->skip)
    if (entry->key_size == size && bytes_order(entry->key, name, size) == 0 && (int)file->tensors[i].type != -1) found = file->tensors + i;
  return found;
}
