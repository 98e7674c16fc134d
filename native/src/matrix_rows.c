/* Reads a matrix of many outputs into blocks, in as many bits as the file has. */
#include "model.h"

/* Row k of the matrix to its places in the blocks. */
#define SPREAD(NAME, TYPE)                                                                                            \
  static void NAME(const TYPE *row, TYPE *blocks, const Matrix *matrix, int k, const int32_t *sources) {             \
    for (int first = 0; first < matrix->outputs; first += BLOCK) {                                                   \
      TYPE *to = blocks + (size_t)first * (size_t)matrix->inputs + (size_t)k * BLOCK;                                 \
      for (int i = 0; i < BLOCK; i++) to[i] = sources[first + i] < 0 ? 0 : row[sources[first + i]];                   \
    }                                                                                                                 \
  }
SPREAD(spread_floats, float)
SPREAD(spread_halves, int16_t)
SPREAD(spread_bytes, int8_t)

/* A half times 2^shift, exact; too small ones become 0. */
static uint16_t scaled_half(uint16_t half, int shift) {
  int exponent = half >> 10 & 31, mantissa = half & 1023;
  if (exponent == 0) {
    if (mantissa == 0) return 0;
    exponent = 1;
    for (; mantissa < 1024; mantissa <<= 1) exponent--;
    mantissa &= 1023;
  }
  exponent += shift;
  return exponent < 1 ? 0 : (uint16_t)((half & 0x8000) | exponent << 10 | mantissa);
}

static float power_of_two(int exponent) {
  union {
    uint32_t bits;
    float value;
  } power = {(uint32_t)(exponent + 127) << 23};
  return power.value;
}

/* Halves, each row times a power of two that makes its largest 2^14 to 2^15, so that none is subnormal. TS_ARGUMENT: some are not finite or
   over 1. */
static Status read_halves(Matrix *matrix, const unsigned char *from, int cells, const int32_t *sources, float *factors, Arena *arena) {
  int16_t *halves = TAKE(arena, int16_t, (size_t)matrix->outputs * (size_t)matrix->inputs);
  size_t used = arena->used;
  int16_t *row = TAKE(arena, int16_t, cells);
  if (halves == NULL || row == NULL) return TS_MEMORY;
  for (int k = 0; k < matrix->inputs; k++, from += 2 * (size_t)cells) {
    uint16_t largest = 0;
    __builtin_memcpy(row, from, 2 * (size_t)cells);
    for (int i = 0; i < cells; i++) largest = (row[i] & 0x7FFF) > largest ? (uint16_t)(row[i] & 0x7FFF) : largest;
    if (largest > 0x3C00) return TS_ARGUMENT;
    int shift = 0;
    while (largest > 0 && shift < 40 && scaled_half(largest, shift) < 29 << 10) shift++;
    factors[k] = power_of_two(112 - shift);
    for (int i = 0; i < cells; i++) {
      uint16_t half = (uint16_t)row[i], plain = (uint16_t)(half + (shift << 10)); /* what is not subnormal */
      row[i] = (int16_t)((half & 0x7C00) ? plain : scaled_half(half, shift));
    }
    spread_halves(row, halves, matrix, k, sources);
  }
  arena->used = used;
  matrix->type = TS_F16;
  matrix->weights = halves;
  matrix->factors = factors;
  return TS_OK;
}

static Status read_bytes(Matrix *matrix, const File *file, const char *name, const signed char *from, int cells, const int32_t *sources,
                         float *factors, Arena *arena) {
  char scale_name[200];
  int64_t rows = matrix->inputs;
  const float *scale;
  int8_t *bytes = TAKE(arena, int8_t, (size_t)matrix->outputs * (size_t)matrix->inputs);
  size_t used = arena->used;
  text_format(scale_name, sizeof scale_name, "%s.scale", name);
  Status status = file_floats(file, scale_name, 1, &rows, 0.0f, 1e6f, &scale, arena);
  if (status != TS_OK || bytes == NULL) return status != TS_OK ? status : TS_MEMORY;
  for (int k = 0; k < matrix->inputs; k++) {
    factors[k] = scale[k];
    spread_bytes((const int8_t *)from + (size_t)k * (size_t)cells, bytes, matrix, k, sources);
  }
  arena->used = used;
  matrix->type = TS_I8;
  matrix->weights = bytes;
  matrix->factors = factors;
  return TS_OK;
}

Status matrix_rows(Matrix *out, const File *file, const char *name, int inputs, int cells, const int32_t *sources, int outputs, Arena *arena) {
  const Tensor *tensor = file_tensor(file, name);
  int64_t shape[2] = {inputs, cells};
  *out = (Matrix){.type = TS_F32, .inputs = inputs, .outputs = outputs};
  if ((uint64_t)outputs * (uint64_t)inputs > SIZE_MAX / 8) return TS_MEMORY;
  int fits = tensor != NULL && tensor->axes == 2 && tensor->shape[0] == inputs && tensor->shape[1] == cells;
  float *factors = TAKE(arena, float, inputs);
  size_t start = arena->used;
  if (factors == NULL) return TS_MEMORY;
  if (fits && tensor->type == TS_I8) return read_bytes(out, file, name, tensor->data, cells, sources, factors, arena);
  if (fits && tensor->type == TS_F16) {
    Status status = read_halves(out, tensor->data, cells, sources, factors, arena);
    if (status != TS_ARGUMENT) return status;
    arena->used = start; /* as floats */
  }
  const float *values;
  float *floats = TAKE(arena, float, (size_t)outputs * (size_t)inputs);
  size_t used = arena->used;
  Status status = file_floats(file, name, 2, shape, -65504.0f, 65504.0f, &values, arena);
  if (status != TS_OK || floats == NULL) return status != TS_OK ? status : TS_MEMORY;
  for (int k = 0; k < inputs; k++) spread_floats(values + (size_t)k * (size_t)cells, floats, out, k, sources);
  arena->used = used;
  out->weights = floats;
  return TS_OK;
}

Status matrix_bias(Matrix *matrix, const File *file, const char *name, int cells, const int32_t *sources, float empty, Arena *arena) {
  float *biases = TAKE(arena, float, matrix->outputs);
  size_t used = arena->used;
  int64_t shape = cells;
  const float *bias;
  Status status = file_floats(file, name, 1, &shape, -1e6f, 1e6f, &bias, arena);
  if (status != TS_OK || biases == NULL) return status != TS_OK ? status : TS_MEMORY;
  for (int i = 0; i < matrix->outputs; i++) biases[i] = sources[i] < 0 ? empty : bias[sources[i]];
  arena->used = used;
  matrix->bias = biases;
  return TS_OK;
}
