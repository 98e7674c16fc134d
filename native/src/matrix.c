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
