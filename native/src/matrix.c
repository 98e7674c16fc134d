/* Products of a vector and a matrix. Every output is summed over the inputs in their order, so that results do not depend on the machine. */
#include "model.h"

typedef int16_t S8 __attribute__((vector_size(16)));
typedef int8_t B8 __attribute__((vector_size(8)));

/* Through pointers: gcc warns of vectors as results where the machine has none that wide. */
static inline void load_float(const float *from, F8 *out) { __builtin_memcpy(out, from, sizeof *out); }

/* The bits of a half as those of a float: its value times 2^-112. There are no subnormal halves, see `scaled_half`. */
static inline void load_half(const int16_t *from, F8 *out) {
  S8 half;
  __builtin_memcpy(&half, from, sizeof half);
  *out = (F8)(((U8x)__builtin_convertvector(half, I8x) << 13) & 0x8FFFE000u);
}

static inline void load_byte(const int8_t *from, F8 *out) {
  B8 byte;
  __builtin_memcpy(&byte, from, sizeof byte);
  *out = __builtin_convertvector(__builtin_convertvector(byte, I8x), F8);
}

#define APPLY(NAME, TYPE, LOAD)                                                            \
  static void NAME(const Matrix *matrix, const float *x, float *y) {                      \
    const TYPE *from = matrix->weights;                                                    \
    for (int block = 0; block < matrix->outputs; block += BLOCK) {                        \
      F8 sum[4], one[4];                                                                   \
      __builtin_memcpy(sum, matrix->bias + block, sizeof sum);                             \
      for (int k = 0; k < matrix->inputs; k++, from += BLOCK) {                           \
        for (int i = 0; i < 4; i++) LOAD(from + 8 * i, one + i);                           \
        for (int i = 0; i < 4; i++) sum[i] += one[i] * x[k];                               \
      }                                                                                    \
      __builtin_memcpy(y + block, sum, sizeof sum);                                        \
    }                                                                                      \
  }
APPLY(apply_floats, float, load_float)
APPLY(apply_halves, int16_t, load_half)
APPLY(apply_bytes, int8_t, load_byte)

void matrix_apply(const Matrix *matrix, const float *x, float *y, Arena *work) {
  size_t used = work->used;
  if (matrix->factors != NULL) {
    float *scaled = TAKE(work, float, matrix->inputs);
    if (scaled == NULL) { /* callers leave room for it */
      for (int i = 0; i < matrix->outputs; i++) y[i] = matrix->bias[i];
      return;
    }
    for (int k = 0; k < matrix->inputs; k++) scaled[k] = x[k] * matrix->factors[k];
    x = scaled;
  }
  if (matrix->type == TS_F16)
    apply_halves(matrix, x, y);
  else if (matrix->type == TS_I8)
    apply_bytes(matrix, x, y);
  else
    apply_floats(matrix, x, y);
  work->used = used;
}

void matrix_add(const Matrix *matrix, const float *x, float *y, Arena *work) {
  Matrix added = *matrix;
  added.bias = y;
  matrix_apply(&added, x, y, work);
}

static int padded(int outputs) { return (outputs + BLOCK - 1) / BLOCK * BLOCK; }

Status matrix_layer(Matrix *out, const File *file, const char *name, int inputs, int outputs, Arena *arena) {
  char full[200];
  int64_t shape[2] = {outputs, inputs};
  const float *weights, *bias;
  *out = (Matrix){.type = TS_F32, .inputs = inputs, .outputs = padded(outputs)};
  float *blocks = TAKE(arena, float, (size_t)out->outputs * (size_t)inputs), *biases = TAKE(arena, float, out->outputs);
  size_t used = arena->used;
  text_format(full, sizeof full, "%s.weight", name);
  Status status = file_floats(file, full, 2, shape, -1e6f, 1e6f, &weights, arena);
  text_format(full, sizeof full, "%s.bias", name);
  if (status == TS_OK) status = file_floats(file, full, 1, shape, -1e6f, 1e6f, &bias, arena);
  if (status != TS_OK) return status;
  if (blocks == NULL || biases == NULL) return TS_MEMORY;
  for (int i = 0; i < out->outputs; i++) {
    biases[i] = i < outputs ? bias[i] : 0.0f;
    float *block = blocks + (size_t)(i / BLOCK) * (size_t)inputs * BLOCK + i % BLOCK;
    for (int k = 0; k < inputs; k++) block[(size_t)k * BLOCK] = i < outputs ? weights[(size_t)i * (size_t)inputs + (size_t)k] : 0.0f;
  }
  arena->used = used;
  out->weights = blocks;
  out->bias = biases;
  return TS_OK;
}

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

/* Halves, each row times a power of two that makes its largest 2^14 to 2^15. 0: some are not finite or over 1. */
static int half_rows(const unsigned char *from, int16_t *to, float *factors, int inputs, int cells, int outputs, const int32_t *places) {
  for (int k = 0; k < inputs; k++) {
    uint16_t largest = 0, half;
    for (int i = 0; i < cells; i++) {
      __builtin_memcpy(&half, from + 2 * ((size_t)k * (size_t)cells + (size_t)i), 2);
      if ((half & 0x7FFF) > largest) largest = half & 0x7FFF;
    }
    if (largest > 0x3C00) return 0;
    int shift = 0;
    while (largest > 0 && shift < 40 && scaled_half(largest, shift) < 29 << 10) shift++;
    factors[k] = power_of_two(112 - shift);
    for (int i = 0; i < cells; i++) {
      __builtin_memcpy(&half, from + 2 * ((size_t)k * (size_t)cells + (size_t)i), 2);
      size_t block = (size_t)(places[i] / BLOCK) * (size_t)inputs * BLOCK;
      to[block + (size_t)k * BLOCK + (size_t)(places[i] % BLOCK)] = (int16_t)scaled_half(half, shift);
    }
  }
  (void)outputs;
  return 1;
}

Status matrix_rows(Matrix *out, const File *file, const char *name, const char *bias_name, int inputs, int cells, const int32_t *places,
                   int outputs, float empty, Arena *arena) {
  const Tensor *tensor = file_tensor(file, name);
  int64_t shape[2] = {inputs, cells};
  *out = (Matrix){.type = TS_F32, .inputs = inputs, .outputs = padded(outputs)};
  if ((uint64_t)out->outputs * (uint64_t)inputs > SIZE_MAX / 8) return TS_MEMORY;
  size_t count = (size_t)out->outputs * (size_t)inputs;
  int fits = tensor != NULL && tensor->axes == 2 && tensor->shape[0] == inputs && tensor->shape[1] == cells;
  if (!fits) { /* says what is wrong */
    const float *none;
    Status status = file_floats(file, name, 2, shape, -65504.0f, 65504.0f, &none, arena);
    return status == TS_OK ? TS_DAMAGED : status;
  }
  float *biases = TAKE(arena, float, out->outputs), *factors = TAKE(arena, float, inputs);
  const float *bias, *values = NULL, *scale = NULL;
  if (biases == NULL || factors == NULL) return TS_MEMORY;
  size_t start = arena->used;
  if (tensor->type == TS_F16) {
    int16_t *halves = TAKE(arena, int16_t, count);
    if (halves == NULL) return TS_MEMORY;
    __builtin_memset(halves, 0, count * sizeof *halves);
    if (half_rows(tensor->data, halves, factors, inputs, cells, outputs, places)) {
      out->type = TS_F16;
      out->weights = halves;
    } else {
      arena->used = start; /* as floats */
    }
  } else if (tensor->type == TS_I8) {
    char scale_name[200];
    int8_t *bytes = TAKE(arena, int8_t, count);
    text_format(scale_name, sizeof scale_name, "%s.scale", name);
    Status status = file_floats(file, scale_name, 1, shape, 0.0f, 1e6f, &scale, arena);
    if (status != TS_OK || bytes == NULL) return status != TS_OK ? status : TS_MEMORY;
    __builtin_memset(bytes, 0, count);
    const int8_t *from = tensor->data;
    for (int k = 0; k < inputs; k++) {
      factors[k] = scale[k];
      for (int i = 0; i < cells; i++, from++)
        bytes[(size_t)(places[i] / BLOCK) * (size_t)inputs * BLOCK + (size_t)k * BLOCK + (size_t)(places[i] % BLOCK)] = *from;
    }
    out->type = TS_I8;
    out->weights = bytes;
  }
  if (out->weights == NULL) {
    float *floats = TAKE(arena, float, count);
    size_t used = arena->used;
    Status status = file_floats(file, name, 2, shape, -65504.0f, 65504.0f, &values, arena);
    if (status != TS_OK || floats == NULL) return status != TS_OK ? status : TS_MEMORY;
    __builtin_memset(floats, 0, count * sizeof *floats);
    for (int k = 0; k < inputs; k++)
      for (int i = 0; i < cells; i++, values++)
        floats[(size_t)(places[i] / BLOCK) * (size_t)inputs * BLOCK + (size_t)k * BLOCK + (size_t)(places[i] % BLOCK)] = *values;
    arena->used = used;
    out->weights = floats;
  } else {
    out->factors = factors;
  }
  if (bias_name == NULL) return TS_OK;
  size_t used = arena->used;
  int64_t bias_shape = cells;
  Status status = file_floats(file, bias_name, 1, &bias_shape, -1e6f, 1e6f, &bias, arena);
  if (status != TS_OK) return status;
  for (int i = 0; i < out->outputs; i++) biases[i] = empty;
  for (int i = 0; i < cells; i++) biases[places[i]] = bias[i];
  arena->used = used;
  out->bias = biases;
  return TS_OK;
}
