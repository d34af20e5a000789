// A few threads that go through the phases of a step together.
//
// A step has hundreds of phases of some microseconds each, so within it threads wait for each other by
// looking; between steps they sleep. One that has looked for long lets others run: the machine is busy.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

class Pool {
public:
    // The calling thread is one of them.
    explicit Pool(int threads) : Pool(threads, Bare()) {
        for (int i = 1; i < threads; i++) others_.emplace_back([this, i] { loop(i); });
    }

    ~Pool() {
        {
            std::lock_guard lock(mutex_);
            closing_ = true;
        }
        wake_.notify_all();
        for (auto &other : others_) other.join();
    }

    int threads() const { return threads_; }

    // Run the body in every thread, this one included.
    void run(const std::function<void(int thread)> &body) {
        {
            std::lock_guard lock(mutex_);
            body_ = &body;
            runs_++;
        }
        wake_.notify_all();
        body(0);
        meet();
    }

    // Called by every thread of a body: share out the items, and go on when all are done.
    template <class Act> void share(int count, Act act) {
        if (!count) return;
        const int size = count / (8 * threads_) + 1;  // few visits to the counter, little to wait for
        for (int first; (first = next_.fetch_add(size)) < count;)
            for (int item = first; item < std::min(first + size, count); item++) act(item);
        meet();
    }

private:
    // Once this has made one, the destructor joins what threads there are, should another not be had.
    struct Bare {};
    Pool(int threads, Bare) : threads_(threads) {}

    static constexpr int PATIENCE = 2000;  // looks: some 50 microseconds

    void loop(int thread) {
        for (uint64_t done = 0;;) {
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [&] { return runs_ != done || closing_; });
                if (closing_) return;
                done = runs_;
            }
            (*body_)(thread);
            meet();
        }
    }

    // Wait for all threads; the last to come begins the next count of items.
    void meet() {
        const unsigned phase = phase_;
        if (arrived_.fetch_add(1) + 1 == threads_) {
            arrived_ = 0;
            next_ = 0;
            phase_ = phase + 1;
            return;
        }
        for (int looks = 0; phase_.load(std::memory_order_acquire) == phase; looks++)
            if (looks > PATIENCE)
                std::this_thread::yield();
            else
                pause();
    }

    static void pause() {
#ifdef __x86_64__
        __builtin_ia32_pause();
#endif
    }

    const int threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    const std::function<void(int)> *body_ = nullptr;
    uint64_t runs_ = 0;
    bool closing_ = false;
    alignas(64) std::atomic<int> next_{0};
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<unsigned> phase_{0};
    std::vector<std::thread> others_;  // the last member: they use the others
};
