"""convert.py FOLDER: writes the models that TensorFlow's own converter makes, float and int8.

Every op that tinyml promises stands in at least two shapes. Batches are left open where Keras leaves
them open, so the converter's SHAPE, STRIDED_SLICE, PACK and CONCATENATION are in the files.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

ROWS = 200
PHYSICAL = (np.array([0.6, 41.0, 0.12, 0.8]), np.array([0.1, 2.5, 0.02, 0.17]))

# Keras' Dense on three dimensions reckons its rows with GATHER and REDUCE_PROD when the batch is open;
# TFLM has no REDUCE_PROD, so neither engine but LiteRT's runs such a file.
FIXED_BATCH = ("dense_rank3_5x6_9", "dense_rank3_4x6_3")


def sequence(*parts):
    """A Keras model, batch open."""
    entry = keras.Input(parts[0])
    value = entry
    for part in parts[1:]:
        value = part(value)
    return keras.Model(entry, value)


def joined(shape, make):
    entry = keras.Input(shape)
    return keras.Model(entry, make(entry))


def reference():
    mean, deviation = PHYSICAL
    normalise = layers.Normalization(mean=mean, variance=deviation**2)
    parts = [layers.Dense(n, "relu") for n in (60, 30, 10)]
    return sequence((4,), normalise, *parts, layers.Dense(1, "sigmoid"))


def dense(n, activation=None, **more):
    return layers.Dense(n, activation, **more)


def of(function):
    return layers.Lambda(function)


def networks():
    tanh, relu = "tanh", "relu"
    row_mean = of(lambda x: tf.reduce_mean(x, -1, keepdims=True))
    yield "reference4", reference()
    yield "dense_4_60_30_10_1", sequence((4,), dense(60, relu), dense(30, relu), dense(10, relu), dense(1, "sigmoid"))
    yield "dense_17_33", sequence((17,), dense(33))
    yield "dense_nobias_40_7", sequence((40,), dense(7, use_bias=False))
    yield "dense_rank3_5x6_9", sequence((5, 6), dense(9, relu))
    yield "dense_rank3_4x6_3", sequence((4, 6), dense(3))
    yield "refused_dense_open_batch_5x6", sequence((5, 6), dense(9, relu))
    yield "autoencoder_16", sequence((16,), dense(8, tanh), dense(3, tanh), dense(8, tanh), dense(16))
    yield "relu6_8_20_8", sequence((8,), layers.Dense(20), layers.ReLU(6), dense(8), layers.ReLU(6))
    yield "relu_alone_12", sequence((12,), layers.ReLU())
    yield "relu_alone_3x5", sequence((3, 5), layers.ReLU())
    yield "relu6_alone_3x7", sequence((3, 7), layers.ReLU(6))
    yield "relu6_alone_9", sequence((9,), layers.ReLU(6))
    yield "leaky_24", sequence((24,), layers.LeakyReLU(negative_slope=0.2))
    yield "leaky_dense_6_9", sequence((6,), dense(9), layers.LeakyReLU(negative_slope=0.01))
    yield "tanh_11", sequence((11,), of(tf.tanh))
    yield "tanh_4x6", sequence((4, 6), of(tf.tanh))
    yield "logistic_13", sequence((13,), of(tf.sigmoid))
    yield "logistic_2x9", sequence((2, 9), of(tf.sigmoid))
    yield "softmax_10_4", sequence((10,), dense(12, relu), dense(4, "softmax"))
    yield "softmax_6x5", sequence((6, 5), layers.Softmax())
    yield "conv_8x8x3", sequence((8, 8, 3), layers.Conv2D(6, 3, activation=relu))
    yield "conv_9x7x2_stride", sequence((9, 7, 2), layers.Conv2D(5, (3, 2), strides=2, padding="same"))
    yield "refused_dilated_10x10x1", sequence((10, 10, 1), layers.Conv2D(4, 3, dilation_rate=2))
    yield "conv_1d_16x4", sequence((16, 4), layers.Conv1D(8, 3, activation=relu), layers.Flatten(), dense(2))
    yield "conv_1d_32x1", sequence((32, 1), layers.Conv1D(4, 5, strides=2, padding="same"), layers.Flatten(), dense(5, "softmax"))
    yield "conv_depthwise_8x8x4", sequence((8, 8, 4), layers.DepthwiseConv2D(3, activation=relu))
    yield "conv_depthwise_7x9x3_mult", sequence((7, 9, 3), layers.DepthwiseConv2D((3, 2), strides=2, depth_multiplier=2, padding="same"))
    yield "conv_depthwise_1d_20x3", sequence((20, 3), layers.DepthwiseConv1D(4), layers.Flatten())
    yield "pool_max_8x8x3", sequence((8, 8, 3), layers.MaxPooling2D(2))
    yield "pool_max_9x7x2_same", sequence((9, 7, 2), layers.MaxPooling2D(3, 2, "same"))
    yield "pool_average_8x8x3", sequence((8, 8, 3), layers.AveragePooling2D(2))
    yield "pool_average_9x7x2_same", sequence((9, 7, 2), layers.AveragePooling2D(3, 2, "same"))
    yield "pool_max_1d_20x2", sequence((20, 2), layers.MaxPooling1D(2))
    yield "mean_images_6x5x4", sequence((6, 5, 4), layers.GlobalAveragePooling2D())
    yield "mean_images_12x3", sequence((12, 3), layers.GlobalAveragePooling1D())
    yield "mean_last_4x9", sequence((4, 9), of(lambda x: tf.reduce_mean(x, -1)))
    yield "sum_last_10", sequence((10,), of(lambda x: tf.reduce_sum(x, -1, keepdims=True)))
    yield "sum_rows_6x4", sequence((6, 4), of(lambda x: tf.reduce_sum(x, 1)))
    yield "add_self_8", joined((8,), lambda x: x + dense(8)(x))
    yield "add_broadcast_5x6", joined((5, 6), lambda x: layers.ReLU()(x + row_mean(x)))
    yield "add_constant_7", sequence((7,), of(lambda x: x + tf.constant(np.linspace(-2, 3, 7), tf.float32)))
    yield "sub_self_8", joined((8,), lambda x: x - dense(8)(x))
    yield "sub_broadcast_5x6", joined((5, 6), lambda x: row_mean(x) - x)
    yield "mul_self_8", joined((8,), lambda x: x * dense(8)(x))
    yield "mul_broadcast_5x6", joined((5, 6), lambda x: layers.ReLU(6)(x * row_mean(x)))
    square_of = of(lambda pair: tf.math.squared_difference(*pair))
    yield "squared_difference_8", joined((8,), lambda x: square_of([x, dense(8)(x)]))
    yield "squared_difference_5x6", joined((5, 6), lambda x: square_of([x, of(tf.tanh)(x)]))
    yield "square_9", sequence((9,), of(tf.square))
    yield "square_3x4", sequence((3, 4), of(tf.tanh), of(tf.square))
    yield "reshape_4x6", sequence((4, 6), layers.Reshape((3, 8)), of(tf.tanh))
    yield "flatten_3x4x2", sequence((3, 4, 2), layers.Flatten(), dense(6))
    yield "refused_concat_6", joined((6,), lambda x: layers.Concatenate()([dense(3)(x), dense(4, relu)(x)]))
    yield "refused_concat_4x3", joined((4, 3), lambda x: layers.Concatenate(1)([dense(3)(x), x]))
    yield "residual_16", joined((16,), lambda x: of(lambda d: tf.reduce_mean(tf.square(d), -1, keepdims=True))(x - dense(16)(dense(5, tanh)(x))))
    yield "refused_global_max_8x8x2", sequence((8, 8, 2), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.GlobalMaxPooling2D(), dense(2))


def shake(model, chance):
    """Weights and biases as a trained net has them: none is zero, channels differ in size."""
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            continue
        values = layer.get_weights()
        for value in values:
            if value.ndim == 1:
                value[:] = np.abs(chance.normal(0.5, 0.3, value.shape)) + 0.05
                if isinstance(layer, (layers.Dense, layers.Conv1D, layers.Conv2D)):
                    value[:] = chance.normal(0, 0.3, value.shape)
            elif value.ndim > 1:
                value[:] *= np.exp(chance.normal(0, 0.5, value.shape[-1]))
        layer.set_weights(values)


def converter_of(model, batch):
    if batch is None:
        return tf.lite.TFLiteConverter.from_keras_model(model)
    entry = keras.Input(batch_shape=(batch,) + model.input_shape[1:])
    return tf.lite.TFLiteConverter.from_keras_model(keras.Model(entry, model(entry)))


def converted(model, rows, kind, batch=None):
    """kind: float; pc, pt (int8 from end to end); floatio (int8 between float ends)."""
    converter = converter_of(model, batch)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[None]] for row in rows)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if kind != "floatio":
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        if kind == "pt":
            converter._experimental_disable_per_channel = True
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter.convert()


def kinds_of(name, model):
    weighted = any(w.ndim > 1 for layer in model.layers for w in layer.get_weights())
    if name.startswith("reference"):
        return ("float", "floatio")
    return ("float", "pc", "pt") if weighted else ("float", "pc")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(3)
    chance = np.random.default_rng(3)
    count = 0
    for name, model in networks():
        shake(model, chance)
        rows = chance.normal(0, 1, (ROWS,) + model.input_shape[1:])
        if name.startswith("reference"):
            rows = rows * PHYSICAL[1] + PHYSICAL[0]
        rows = rows.astype(np.float32)
        batch = 1 if name in FIXED_BATCH else None
        for kind in kinds_of(name, model):
            suffix = "float" if kind == "float" else kind
            (folder / f"tf_{name}_{suffix}.tflite").write_bytes(converted(model, rows, kind, batch))
            count += 1
    print(f"convert: {count} models by TensorFlow {tf.__version__}")


if __name__ == "__main__":
    main()
