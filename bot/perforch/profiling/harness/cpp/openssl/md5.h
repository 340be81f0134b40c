// Stands in for OpenSSL's MD5 (RFC 1321) where its headers are not installed.
#ifndef PERFORCH_OPENSSL_MD5_H
#define PERFORCH_OPENSSL_MD5_H
#include <cmath>
#include <cstdint>
#include <string>
#define MD5_DIGEST_LENGTH 16

struct MD5_CTX { std::string text; };

inline int MD5_Init(MD5_CTX* c) { c->text.clear(); return 1; }
inline int MD5_Update(MD5_CTX* c, const void* data, std::size_t size) {
    c->text.append(static_cast<const char*>(data), size);
    return 1;
}
inline int MD5_Final(unsigned char* digest, MD5_CTX* c) {
    static const int shifts[16] = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};
    std::string text = c->text;
    std::uint64_t bits = text.size() * 8;
    text += static_cast<char>(0x80);
    while (text.size() % 64 != 56) text += '\0';
    for (int i = 0; i < 8; i++) text += static_cast<char>(bits >> (8 * i));
    std::uint32_t state[4] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u};
    for (std::size_t block = 0; block < text.size(); block += 64) {
        std::uint32_t word[16];
        for (int i = 0; i < 16; i++) {
            word[i] = 0;
            for (int j = 3; j >= 0; j--) word[i] = word[i] << 8 | static_cast<unsigned char>(text[block + 4 * i + j]);
        }
        std::uint32_t a = state[0], b = state[1], e = state[2], d = state[3];
        for (int i = 0; i < 64; i++) {
            std::uint32_t f;
            int g;
            if (i < 16) { f = (b & e) | (~b & d); g = i; }
            else if (i < 32) { f = (d & b) | (~d & e); g = (5 * i + 1) % 16; }
            else if (i < 48) { f = b ^ e ^ d; g = (3 * i + 5) % 16; }
            else { f = e ^ (b | ~d); g = (7 * i) % 16; }
            std::uint32_t k = static_cast<std::uint32_t>(std::floor(std::fabs(std::sin(i + 1.0)) * 4294967296.0));
            f += a + k + word[g];
            int s = shifts[(i / 16) * 4 + i % 4];
            a = d; d = e; e = b;
            b += f << s | f >> (32 - s);
        }
        state[0] += a; state[1] += b; state[2] += e; state[3] += d;
    }
    for (int i = 0; i < 16; i++) digest[i] = static_cast<unsigned char>(state[i / 4] >> (8 * (i % 4)));
    return 1;
}
inline unsigned char* MD5(const unsigned char* data, std::size_t size, unsigned char* digest) {
    static unsigned char own[16];
    MD5_CTX c;
    MD5_Init(&c); MD5_Update(&c, data, size); MD5_Final(digest ? digest : own, &c);
    return digest ? digest : own;
}
#endif
