"""Ed25519 with whole numbers and nothing else: RFC 8032 to sign, ZIP-215 to verify.

For checking golden values and for tests. It takes its time, and a secret shows in the time it takes.
"""
import functools
import hashlib

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def add(a, b):  # extended coordinates: x = X/Z, y = Y/Z, xy = T/Z
    m, n = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    t, z = 2 * D * a[3] * b[3], 2 * a[2] * b[2]
    e, f, g, h = n - m, z - t, z + t, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        result, point, scalar = add(result, point) if scalar & 1 else result, add(point, point), scalar >> 1
    return result


def is_neutral(point):
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


def decompress(data):
    """A point, or None. As ZIP-215 has it: y may be P or more, and x = 0 may have its sign bit set."""
    number = int.from_bytes(data, "little")
    y, sign = (number & ~(1 << 255)) % P, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_1 % P
    if x * x % P != square:
        return None
    x = -x % P if x & 1 != sign else x
    return x, y, 1, x * y % P


def compress(point):
    inverse = pow(point[2], -1, P)
    return (point[1] * inverse % P | (point[0] * inverse % P & 1) << 255).to_bytes(32, "little")


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def sha512_number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def secret(seed):
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254, digest[32:]


@functools.lru_cache(maxsize=None)
def public_key(seed):
    return compress(multiply(secret(seed)[0], BASE))


@functools.lru_cache(maxsize=None)
def sign(seed, message):
    (scalar, prefix), key = secret(seed), public_key(seed)
    nonce = sha512_number(prefix, message) % L
    point = compress(multiply(nonce, BASE))
    return point + ((nonce + sha512_number(point, key, message) * scalar) % L).to_bytes(32, "little")


@functools.lru_cache(maxsize=None)
def verifies(key, signature, message):
    """ZIP-215: S below L, and [8][S]B = [8]R + [8][k]A."""
    a, r, s = decompress(key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(key) != 32 or len(signature) != 64 or a is None or r is None or s >= L:
        return False
    k = sha512_number(signature[:32], key, message) % L
    minus_r, minus_a = ((-p[0] % P, p[1], p[2], -p[3] % P) for p in (r, a))
    return is_neutral(multiply(8, add(multiply(s, BASE), add(minus_r, multiply(k, minus_a)))))
