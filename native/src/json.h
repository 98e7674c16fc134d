/* JSON: text to a tree in an arena. */
#ifndef TS_JSON_H
#define TS_JSON_H

#include "parts.h"

typedef enum { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT } JsonKind;

/* A value, followed by the values in it: the next one beside it is `skip` further. Texts are UTF-8 with a 0 at the end. */
struct Json {
  const char *key, *text; /* of an entry of an object, else NULL; of a text or a number as it is written, else NULL */
  double number;
  uint32_t key_size, text_size;
  uint32_t count, skip; /* entries of an array or object; values up to the next one beside it */
  uint8_t kind, whole;  /* of a number: whether it has no point and no exponent */
  uint8_t flat;         /* of an array or object: whether its entries hold no others, so that entry i is value 1 + i */
};

/* Reads a text whose arrays and objects are nested at most `depth` times. TS_DAMAGED for what is not JSON, numbers that are not finite and
   texts that are not Unicode. */
Status json_read(const Json **out, const char *text, size_t size, int depth, Arena *arena);
JsonKind json_kind(const Json *json);                             /* JSON_NULL also for NULL */
const Json *json_entry(const Json *json, const char *key);        /* of an object: the last of this name; NULL: none */
int json_whole(const Json *json, int64_t low, int64_t high, int64_t *out); /* whether it is a whole number in this range */

size_t text_length(const char *text);                              /* strlen and memcmp: no C library is needed */
int bytes_order(const void *a, const void *b, size_t size);
#endif
