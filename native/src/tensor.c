/* Tensors of a file as floats. */
#include "file.h"

/* Half precision to single, exact; subnormal numbers by a multiplication. What is not finite becomes 65536 or more. */
static float half_to_float(uint16_t half) {
  union {
    uint32_t bits;
    float value;
  } wide = {(uint32_t)(half & 0x7FFF) << 13};
  float value = wide.value * 0x1p112f;
  return half & 0x8000 ? -value : value;
}

static void read_halves(const unsigned char *from, float *to, size_t n) {
  for (size_t i = 0; i < n; i++) {
    uint16_t half;
    __builtin_memcpy(&half, from + 2 * i, 2);
    to[i] = half_to_float(half);
  }
}

/* Whether all are within low to high; false for NaN. */
static int within(const float *values, size_t n, float low, float high) {
  int outside = 0;
  for (size_t i = 0; i < n; i++) outside |= !(values[i] >= low) | !(values[i] <= high);
  return !outside;
}

static void scaled_name(char *out, const char *name) { text_format(out, 200, "%s.scale", name); }

/* The rows of 8 bits, each by its scale. */
static Status read_bytes(const File *file, const char *name, const Tensor *tensor, float *to, size_t n, Arena *arena) {
  char scale_name[200];
  scaled_name(scale_name, name);
  int64_t rows = tensor->axes == 0 ? 1 : tensor->shape[0];
  size_t used = arena->used;
  const float *scale;
  Status status = file_floats(file, scale_name, 1, &rows, 0.0f, 1e30f, &scale, arena);
  if (status != TS_OK) return status;
  size_t width = rows == 0 ? 0 : n / (size_t)rows;
  const signed char *from = (const signed char *)tensor->data;
  for (size_t row = 0; row < (size_t)rows; row++)
    for (size_t i = 0; i < width; i++) to[row * width + i] = (float)from[row * width + i] * scale[row];
  arena->used = used;
  return TS_OK;
}

static void shape_text(char *out, size_t size, int axes, const int64_t *shape) {
  char text[100] = "";
  for (int i = 0; i < axes && i < MOST_AXES; i++) {
    char one[100];
    text_format(one, sizeof one, shape[i] < 0 ? "%s%sany" : "%s%s%d", text, i ? " x " : "", shape[i]);
    __builtin_memcpy(text, one, sizeof text);
  }
  text_format(out, size, "%s", axes == 0 ? "a number" : text);
}

size_t tensor_size(const Tensor *tensor) {
  size_t n = 1;
  for (int i = 0; i < tensor->axes && i < MOST_AXES; i++) n *= (size_t)tensor->shape[i];
  return n;
}

Status file_floats(const File *file, const char *name, int axes, const int64_t *shape, float low, float high, const float **out, Arena *arena) {
  const Tensor *tensor = file_tensor(file, name);
  if (tensor == NULL) return file_fault(file, TS_DAMAGED, "tensor %s is missing; the file is damaged", name);
  int fits = tensor->axes == axes;
  for (int i = 0; i < axes && fits; i++) fits = shape[i] < 0 || tensor->shape[i] == shape[i];
  if (!fits) {
    char found[100], wanted[100];
    shape_text(found, sizeof found, tensor->axes, tensor->shape);
    shape_text(wanted, sizeof wanted, axes, shape);
    return file_fault(file, TS_DAMAGED, "tensor %s is %s, expected is %s; the file is damaged", name, found, wanted);
  }
  size_t n = tensor_size(tensor);
  float *values = TAKE(arena, float, n + 1);
  if (values == NULL) return TS_MEMORY;
  if (tensor->type == TS_F32) {
    __builtin_memcpy(values, tensor->data, n * sizeof(float));
  } else if (tensor->type == TS_F16) {
    read_halves(tensor->data, values, n);
  } else if (tensor->type == TS_I8) {
    Status status = read_bytes(file, name, tensor, values, n, arena);
    if (status != TS_OK) return status;
  } else {
    return file_fault(file, TS_UNCOVERED, "tensor %s is of a type that is not read here, allowed are F32, F16 and I8", name);
  }
  if (tensor->type == TS_F16 && high > 65504.0f) high = 65504.0f; /* not finite is beyond */
  if (tensor->type == TS_F16 && low < -65504.0f) low = -65504.0f;
  if (!within(values, n, low < -3e38f ? -3e38f : low, high > 3e38f ? 3e38f : high))
    return file_fault(file, TS_DAMAGED, "tensor %s holds values that are not finite or out of range; the file is damaged", name);
  *out = values;
  return TS_OK;
}
