// A DenseNetwork learns to say 1 or 0: dense layers with relu, one logistic output, Adam on the
// weighted cross-entropy.
//
// In double precision and in a fixed order; chance comes from the seed alone, so the same rows give
// the same bits.
#pragma once

#include <Eigen/Dense>

#include <cstdint>
#include <random>
#include <vector>

namespace stator::train {

struct Examples {  // a row an example
    Eigen::MatrixXd inputs;
    Eigen::VectorXd labels;   // 0 or 1
    Eigen::VectorXd weights;  // what each counts
};

class DenseNetwork {
  public:
    struct Layer {
        Eigen::MatrixXd weights;  // outputs x inputs
        Eigen::VectorXd bias;
    };

    DenseNetwork(Eigen::Index inputs, const std::vector<Eigen::Index>& widths, std::uint64_t seed);

    [[nodiscard]] Eigen::VectorXd outputs(const Eigen::MatrixXd& inputs) const;
    // Mean over the examples' weights.
    [[nodiscard]] double loss(const Examples& examples) const;
    // Of the loss, by each layer's weights and bias.
    [[nodiscard]] std::vector<Layer> gradient(const Examples& examples) const;
    // One pass over the examples in batches, in an order by chance.
    void learn(const Examples& examples, Eigen::Index batch_size, double learning_rate);

    [[nodiscard]] std::vector<Layer>& layers() { return layers_; }

    [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }

  private:
    void step(const std::vector<Layer>& gradient, double learning_rate);

    std::mt19937_64 chance_;
    std::vector<Layer> layers_;
    std::vector<Layer> mean_;    // of the gradient, for Adam
    std::vector<Layer> square_;  // of its square
    double steps_ = 0;
};

}  // namespace stator::train
