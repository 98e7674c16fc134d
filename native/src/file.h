/* An instrument file in memory, and what is wrong with it in words. */
#ifndef TS_FILE_H
#define TS_FILE_H

#include "json.h"

enum { MOST_TENSORS = 4096, MOST_AXES = 4, MESSAGE_SIZE = 256, MOST_COMPONENTS = 16384 };

struct File {
  const unsigned char *data; /* of the tensors */
  size_t size;
  const Json *entries; /* of the outer header: a tensor each, and __metadata__ */
  Tensor *tensors;     /* as entries; type -1 for what is no tensor */
  const Json *header;
  const Json **categories; /* their labels */
  size_t categories_count;
  char *message; /* MESSAGE_SIZE bytes, the first fault */
};

/* Memory that file_open and all parts together take at most. 0: not even the sizes make sense. */
size_t file_memory(const void *bytes, size_t size);

Status categories_open(File *file, Arena *arena);
int category_of(const File *file, const Json *label);              /* -1: none */
const Json *category_name(const File *file, size_t index);        /* a text */
size_t tensor_size(const Tensor *tensor);                         /* numbers in it */

/* Notes what is wrong, unless something is noted already, and returns `status`. Every %s of the format is replaced by the next text, %d by
   the next int64_t, %f by the next double. */
Status file_fault(const File *file, Status status, const char *format, ...);
void text_format(char *out, size_t size, const char *format, ...);
#endif
