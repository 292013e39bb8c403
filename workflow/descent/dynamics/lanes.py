"""Explicit vectors of 16 float32 numbers (`lanes`) inside numba functions, in tuples that stay in registers.

Compilers vectorise one loop at a time and keep what it accumulates in memory; the step of `planted_sgd` needs ten
accumulating vectors in registers. These intrinsics give numba that: LLVM's own vector type, loads, stores and fused
multiply-adds. A machine with shorter vectors computes the same, in several parts.

Matrices whose columns are hidden units are kept as tiles: array (tiles, rows, 16), see `to_tiles`.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

LANES = 16
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INDEX = ir.IntType(64)
_ZERO = ir.Constant(_VECTOR, [0.0] * LANES)
_CONTRACT = ("contract",)


def to_tiles(matrix: np.ndarray) -> np.ndarray:
    """(rows, units) as float32 tiles (ceil(units / 16), rows, 16), zeros in the missing units, 64-byte aligned."""
    rows, units = matrix.shape
    tiles = aligned_zeros((-(-units // LANES), rows, LANES))
    wide = np.zeros((rows, tiles.shape[0] * LANES), np.float32)
    wide[:, :units] = matrix
    tiles[...] = wide.reshape(rows, -1, LANES).transpose(1, 0, 2)
    return tiles


def from_tiles(tiles: np.ndarray, units: int) -> np.ndarray:
    """The matrix (rows, units) that `to_tiles` laid out."""
    return np.ascontiguousarray(tiles.transpose(1, 0, 2).reshape(tiles.shape[1], -1)[:, :units])


def aligned_zeros(shape: tuple[int, ...]) -> np.ndarray:
    """float32 zeros that start on a cache line: a vector across two lines costs two accesses."""
    size = int(np.prod(shape))
    buffer = np.zeros(size + LANES, np.float32)
    start = (-buffer.ctypes.data % 64) // 4
    return buffer[start : start + size].reshape(shape)


class LanesType(types.Type):
    """Numba's type of one vector."""

    def __init__(self):
        super().__init__(name=f"float32x{LANES}")


class _LanesModel(PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _VECTOR)


register_model(LanesType)(_LanesModel)
lanes = LanesType()


def _address(context, builder, kind, array, indices):
    """Pointer to array[indices]; `indices` are pairs (numba type, value), the axes not given are 0."""
    struct = context.make_array(kind)(context, builder, array)
    values = [context.cast(builder, value, type_, types.intp) for type_, value in indices]
    values += [ir.Constant(_INDEX, 0)] * (kind.ndim - len(values))
    return cgutils.get_item_pointer(context, builder, kind, struct, values, wraparound=False)


def _vector_address(context, builder, kind, array, indices):
    return builder.bitcast(_address(context, builder, kind, array, indices), _VECTOR.as_pointer())


def _consecutive(builder, pointer, count):
    return [builder.gep(pointer, [ir.Constant(_INDEX, i)]) for i in range(count)]


def _broadcast(builder, scalar):
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _broadcast_row(context, builder, kind, matrix, indices, count):
    pointers = _consecutive(builder, _address(context, builder, kind, matrix, indices), count)
    return [_broadcast(builder, builder.load(pointer)) for pointer in pointers]


def _multiply_add(builder, x, y, z):
    return builder.fadd(builder.fmul(x, y, flags=_CONTRACT), z, flags=_CONTRACT)


def _pack(context, builder, vectors):
    return context.make_tuple(builder, types.UniTuple(lanes, len(vectors)), vectors)


@intrinsic
def zeros(typing, template):
    """A tuple of zero vectors, as long as the tuple `template`: tuple lengths are known when compiling."""
    kind = types.UniTuple(lanes, template.count)

    def generate(context, builder, signature, arguments):
        return _pack(context, builder, [_ZERO] * template.count)

    return kind(template), generate


@intrinsic
def load(typing, tiles, tile, row):
    """tiles[tile, row, :]."""

    def generate(context, builder, signature, arguments):
        indices = list(zip(signature.args[1:], arguments[1:]))
        return builder.load(_vector_address(context, builder, tiles, arguments[0], indices), align=4)

    return lanes(tiles, tile, row), generate


@intrinsic
def store(typing, tiles, tile, row, vector):
    """tiles[tile, row, :] = vector."""

    def generate(context, builder, signature, arguments):
        indices = list(zip(signature.args[1:3], arguments[1:3]))
        builder.store(arguments[3], _vector_address(context, builder, tiles, arguments[0], indices), align=4)
        return context.get_dummy_value()

    return types.void(tiles, tile, row, vector), generate


@intrinsic
def load_rows(typing, tiles, tile, template):
    """The tuple of tiles[tile, i, :], as long as the tuple `template`."""
    kind = types.UniTuple(lanes, template.count)

    def generate(context, builder, signature, arguments):
        pointer = _vector_address(context, builder, tiles, arguments[0], [(tile, arguments[1])])
        rows = _consecutive(builder, pointer, template.count)
        return _pack(context, builder, [builder.load(row, align=4) for row in rows])

    return kind(tiles, tile, template), generate


@intrinsic
def store_rows(typing, tiles, tile, vectors):
    """tiles[tile, i, :] = vectors[i]."""

    def generate(context, builder, signature, arguments):
        pointer = _vector_address(context, builder, tiles, arguments[0], [(tile, arguments[1])])
        rows = _consecutive(builder, pointer, vectors.count)
        for row, vector in zip(rows, cgutils.unpack_tuple(builder, arguments[2])):
            builder.store(vector, row, align=4)
        return context.get_dummy_value()

    return types.void(tiles, tile, vectors), generate


@intrinsic
def add_combination(typing, vector, matrix, row, column, vectors):
    """vector + sum_i matrix[row, column + i] vectors[i], in two independent chains of additions."""

    def generate(context, builder, signature, arguments):
        indices = list(zip(signature.args[2:4], arguments[2:4]))
        factors = _broadcast_row(context, builder, matrix, arguments[1], indices, vectors.count)
        chains = [arguments[0], _ZERO]
        for i, pair in enumerate(zip(factors, cgutils.unpack_tuple(builder, arguments[4]))):
            chains[i % 2] = _multiply_add(builder, *pair, chains[i % 2])
        return builder.fadd(*chains)

    return lanes(vector, matrix, row, column, vectors), generate


@intrinsic
def add_multiples(typing, vectors, matrix, row, column, vector):
    """The tuple of vectors[i] + matrix[row, column + i] vector."""

    def generate(context, builder, signature, arguments):
        indices = list(zip(signature.args[2:4], arguments[2:4]))
        factors = _broadcast_row(context, builder, matrix, arguments[1], indices, vectors.count)
        sums = cgutils.unpack_tuple(builder, arguments[0])
        return _pack(context, builder, [_multiply_add(builder, f, arguments[4], s) for f, s in zip(factors, sums)])

    return vectors(vectors, matrix, row, column, vector), generate


@intrinsic
def weighted_sum(typing, factor, vector, other_factor, other):
    """factor vector + other_factor other, for two float32 factors."""

    def generate(context, builder, signature, arguments):
        factor, other = (_broadcast(builder, arguments[i]) for i in (0, 2))
        product = builder.fmul(other, arguments[3], flags=_CONTRACT)
        return _multiply_add(builder, factor, arguments[1], product)

    return lanes(types.float32, vector, types.float32, other), generate


@intrinsic
def squared(typing, vector):
    """vector * vector, lane by lane."""

    def generate(context, builder, signature, arguments):
        return builder.fmul(arguments[0], arguments[0])

    return lanes(vector), generate


@intrinsic
def add_quotient(typing, vector, factor, numerator, square, floor):
    """vector + factor numerator / (sqrt(square) + floor), lane by lane, for float32 factor and floor."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        sqrt = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f32")
        factor, floor = (_broadcast(builder, arguments[i]) for i in (1, 4))
        root = builder.fadd(builder.call(sqrt, [arguments[3]]), floor)
        return _multiply_add(builder, factor, builder.fdiv(arguments[2], root), arguments[0])

    return lanes(vector, types.float32, numerator, square, types.float32), generate


@intrinsic
def add_products(typing, vectors, others, vector):
    """The tuple of vectors[i] + others[i] * vector, lane by lane."""

    def generate(context, builder, signature, arguments):
        sums, factors = (cgutils.unpack_tuple(builder, argument) for argument in arguments[:2])
        return _pack(context, builder, [_multiply_add(builder, f, arguments[2], s) for f, s in zip(factors, sums)])

    return vectors(vectors, others, vector), generate


@intrinsic
def relu(typing, vectors):
    """The tuple of max(vectors[i], 0), lane by lane; NaN stays NaN."""

    def generate(context, builder, signature, arguments):
        inputs = cgutils.unpack_tuple(builder, arguments[0])
        return _pack(context, builder, [builder.select(builder.fcmp_ordered("<", x, _ZERO), _ZERO, x) for x in inputs])

    return vectors(vectors), generate


@intrinsic
def where_positive(typing, conditions, vectors):
    """The tuple of vectors[i] where conditions[i] > 0 and 0 elsewhere, lane by lane."""

    def generate(context, builder, signature, arguments):
        pairs = zip(*(cgutils.unpack_tuple(builder, argument) for argument in arguments))
        chosen = [builder.select(builder.fcmp_ordered(">", c, _ZERO), v, _ZERO) for c, v in pairs]
        return _pack(context, builder, chosen)

    return vectors(conditions, vectors), generate


@intrinsic
def store_sums(typing, matrix, row, vectors):
    """matrix[row, i] = sum of the lanes of vectors[i]."""

    def generate(context, builder, signature, arguments):
        scalar = ir.FloatType()
        kind = ir.FunctionType(scalar, [scalar, _VECTOR])
        reduce = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{LANES}f32")
        pointer = _address(context, builder, matrix, arguments[0], [(row, arguments[1])])
        columns = _consecutive(builder, pointer, vectors.count)
        for column, vector in zip(columns, cgutils.unpack_tuple(builder, arguments[2])):
            # Reassociation lets the 16 lanes be added as a tree.
            total = builder.call(reduce, [ir.Constant(scalar, 0.0), vector], fastmath=("reassoc",))
            builder.store(total, column)
        return context.get_dummy_value()

    return types.void(matrix, row, vectors), generate
