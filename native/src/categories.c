/* Categories of an instrument: the different names among the labels of its density, in the order of their code points. */
#include "file.h"

static int compare(const Json *a, const char *text, size_t size) {
  size_t least = a->text_size < size ? a->text_size : size;
  int order = least == 0 ? 0 : bytes_order(a->text, text, least); /* UTF-8 has the order of the code points */
  return order != 0 ? order : (a->text_size > size) - (a->text_size < size);
}

/* The first category that is not before this text. */
static size_t place_of(const File *file, const char *text, size_t size) {
  size_t low = 0, high = file->categories_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (compare(file->categories[middle], text, size) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static int found_at(const File *file, size_t place, const char *text, size_t size) {
  return place < file->categories_count && compare(file->categories[place], text, size) == 0;
}

Status categories_open(File *file, Arena *arena) {
  const Json *labels = json_entry(file->header, "labels");
  size_t count = json_count(labels);
  if (json_kind(labels) != JSON_ARRAY || count < 1) return file_fault(file, TS_DAMAGED, "the categories are damaged");
  if (count > MOST_COMPONENTS)
    return file_fault(file, TS_UNCOVERED, "the density has %d components, allowed here are %d", (int64_t)count, (int64_t)MOST_COMPONENTS);
  file->categories = TAKE(arena, const Json *, count);
  if (file->categories == NULL) return TS_MEMORY;
  for (size_t i = 0; i < count; i++) {
    const Json *label = json_item(labels, i);
    if (json_kind(label) == JSON_NULL) continue;
    if (json_kind(label) != JSON_TEXT) return file_fault(file, TS_DAMAGED, "the categories are damaged");
    size_t place = place_of(file, label->text, label->text_size);
    if (found_at(file, place, label->text, label->text_size)) continue;
    const Json **at = file->categories + place;
    __builtin_memmove(at + 1, at, (file->categories_count - place) * sizeof *at);
    *at = label;
    file->categories_count++;
  }
  return TS_OK;
}

int category_of(const File *file, const Json *label) {
  if (json_kind(label) != JSON_TEXT) return -1;
  size_t place = place_of(file, label->text, label->text_size);
  return found_at(file, place, label->text, label->text_size) ? (int)place : -1;
}

int category_index(const File *file, const char *name) {
  size_t size = text_length(name), place = place_of(file, name, size);
  return found_at(file, place, name, size) ? (int)place : -1;
}

size_t category_count(const File *file) { return file->categories_count; }

const Json *category_name(const File *file, size_t index) { return index < file->categories_count ? file->categories[index] : NULL; }
