/* The yardstick for bench/rtp_sending.py: one RTP packet to many addresses by sendmmsg, as fast as C does it.
 *
 * usage: sendmmsg SOURCE FIRST_DESTINATION PORT PHONES ROUNDS
 *
 * Sends ROUNDS packets of 172 bytes to each of PHONES consecutive addresses, without pacing, with all arrays made once
 * and the packet's numbers counted up each round. Prints "SENT NANOSECONDS".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { PACKET = 172, MESSAGES = 1024, STEP = 160 };

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: sendmmsg SOURCE FIRST_DESTINATION PORT PHONES ROUNDS\n");
        return 2;
    }
    struct sockaddr_in source = {.sin_family = AF_INET}, first = {.sin_family = AF_INET};
    if (!inet_aton(argv[1], &source.sin_addr) || !inet_aton(argv[2], &first.sin_addr)) return 2;
    first.sin_port = htons((uint16_t)atoi(argv[3]));
    int phones = atoi(argv[4]), rounds = atoi(argv[5]);

    int sock = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;
    setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (bind(sock, (struct sockaddr *)&source, sizeof source)) {
        perror("bind");
        return 1;
    }
    unsigned char packet[PACKET] = {0x80, 0};
    struct iovec piece = {packet, sizeof packet};
    struct sockaddr_in *to = calloc((size_t)phones, sizeof *to);
    struct mmsghdr *messages = calloc((size_t)phones, sizeof *messages);
    for (int i = 0; i < phones; i++) {
        to[i] = first;
        to[i].sin_addr.s_addr = htonl(ntohl(first.sin_addr.s_addr) + (uint32_t)i);
        messages[i].msg_hdr.msg_name = &to[i];
        messages[i].msg_hdr.msg_namelen = sizeof *to;
        messages[i].msg_hdr.msg_iov = &piece;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    struct timespec begin, end;
    long long sent = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int round = 0; round < rounds; round++) {
        uint16_t sequence = htons((uint16_t)round);
        uint32_t timestamp = htonl((uint32_t)round * STEP);
        memcpy(packet + 2, &sequence, 2);
        memcpy(packet + 4, &timestamp, 4);
        for (int at = 0; at < phones;) {
            int count = phones - at < MESSAGES ? phones - at : MESSAGES;
            int done = sendmmsg(sock, messages + at, (unsigned)count, MSG_DONTWAIT);
            if (done < 0) {
                if (errno == EINTR || errno == EAGAIN) continue;
                done = 1; /* step over the destination that failed */
                sent--;
            }
            at += done;
            sent += done;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%lld %lld\n", sent, (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec);
    return 0;
}
