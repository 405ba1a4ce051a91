"""The operations of TensorFlow that a model may hold: a closed list of those that only compute.

None of them opens a file, calls Python, or accesses a host or a device that the model chooses.
:mod:`toolchain.sources.operations` refuses all others, including those that later versions of
TensorFlow add. Tests compare the first group with the installed converter, and all groups with the
attributes and inputs that TensorFlow declares.
"""

from __future__ import annotations


def _named(text: str) -> frozenset[str]:
    return frozenset(text.split())


CONVERTER = _named(
    """
    Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh AvgPool
    AvgPool3D BatchMatMul BatchMatMulV2 BatchToSpaceND BiasAdd Bincount BitwiseAnd BroadcastArgs
    BroadcastTo Cast Ceil ClipByValue Complex ComplexAbs Concat ConcatV2 Const Conv1D Conv2D
    Conv2DBackpropInput Conv3D Cos Cosh CropAndResize Cumprod Cumsum DenseBincount DepthToSpace
    DepthwiseConv2d DepthwiseConv2dNative Dilation2D Div DivNoNan Einsum Elu EmptyTensorList
    EnsureShape Enter Equal Erf EuclideanNorm Exit Exp ExpandDims Expm1 FFT
    FakeQuantWithMinMaxVars Fill Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 FusedDepthwiseConv2dNative Gather GatherNd GatherV2 Greater GreaterEqual
    HashTable HashTableV2 IFFT IRFFT Identity IdentityN If Imag ImageProjectiveTransformV3
    InitializeTable InitializeTableV2 IsFinite IsInf IsNan LRN LeakyRelu Less LessEqual LinSpace
    ListDiff Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr LookupTableFind
    LookupTableFindV2 LookupTableImport LookupTableImportV2 LookupTableSize LookupTableSizeV2
    LoopCond LowerBound MatMul MatrixBandPart Max MaxPool MaxPool3D MaxPoolWithArgmax Maximum Mean
    Merge Min Minimum MirrorPad Mod Mul Multinomial Neg NextIteration NoOp NonMaxSuppressionV2
    NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 NotEqual OneHot Ones OnesLike Pack
    Pad PadV2 Placeholder PlaceholderWithDefault Pow Prelu Print Prod RFFT RaggedGather
    RaggedRange RaggedTensorToTensor RandomStandardNormal RandomUniform RandomUniformInt Range
    Rank Real RealDiv Reciprocal Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor Reverse
    ReverseV2 Round Rsqrt ScatterNd Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size
    Slice Snapshot Softmax Softplus SpaceToBatchND SparseFillEmptyRows SparseReshape
    SparseSegmentMean SparseSegmentSum SparseToDense Split SplitV Sqrt Square SquaredDifference
    Squeeze StatelessIf StatelessWhile StaticRegexReplace StopGradient StridedSlice StringNGrams
    StringSplit StringToHashBucketFast Sub Sum Switch Tan Tanh TensorArrayCloseV3
    TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3
    TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3 TensorArrayWriteV3 TensorListConcat
    TensorListConcatV2 TensorListFromTensor TensorListGather TensorListGetItem TensorListLength
    TensorListPopBack TensorListPushBack TensorListReserve TensorListResize TensorListScatter
    TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack TensorScatterUpdate Tile
    TopKV2 Transpose TruncatedNormal Unique UniqueV2 Unpack UpperBound Where While Zeros ZerosLike
    _FusedConv2D _FusedMatMul
    """
)
"""Operations that the TF.js converter knows, without TF Decision Forests', which read files."""

_VARIABLES = _named(
    """
    Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp
    DestroyResourceOp DestroyTemporaryVariable DisableCopyOnRead IsVariableInitialized
    ReadVariableOp ResourceGather ResourceGatherNd TemporaryVariable VarHandleOp
    VarIsInitializedOp Variable VariableShape VariableV2
    """
)
"""Variables, also of TensorFlow 1. Freezing the graph turns them into constants."""

_TABLES = _named(
    """
    AnonymousHashTable AnonymousMutableDenseHashTable AnonymousMutableHashTable LookupTableExport
    LookupTableExportV2 LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2
    MutableDenseHashTable MutableDenseHashTableV2 MutableHashTable MutableHashTableV2
    """
)
"""Tables from label to number and back, which are filled from constants, never from files."""

_CONTROL = _named(
    """
    Assert Case CheckNumerics CheckNumericsV2 ControlTrigger DeepCopy FakeParam GuaranteeConst
    PartitionedCall PreventGradient RefEnter RefExit RefIdentity RefMerge RefNextIteration
    RefSelect RefSwitch Stack StackClose StackCloseV2 StackPop StackPopV2 StackPush StackPushV2
    StackV2 StatefulPartitionedCall StatelessCase TensorListConcatLists TensorListElementShape
    TensorListPushBackBatch TensorListScatterIntoExistingList ToBool
    """
)
"""Function calls (the functions' operations are checked too), branches, loops and assertions."""

_MATHS = _named(
    """
    AccumulateNV2 Angle ApproxTopK ApproximateEqual BatchMatMulV3 BatchToSpace BesselI0e BesselI1e
    Betainc Bitcast BitwiseOr BitwiseXor BroadcastGradientArgs Bucketize Cholesky ConcatOffset
    Conj ConjugateTranspose Cross CumulativeLogsumexp DataFormatDimMap DataFormatVecPermute Diag
    DiagPart Digamma DynamicPartition DynamicStitch EditDistance Empty Erfc Erfinv
    ExtractImagePatches ExtractVolumePatches FFT2D FFT3D HistogramFixedWidth IFFT2D IFFT3D IRFFT2D
    IRFFT3D Igamma Igammac InTopK InTopKV2 Inv Invert InvertPermutation L2Loss LeftShift Lgamma
    LogMatrixDeterminant Lu MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2
    MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2
    MatrixSetDiagV3 MatrixSolve MatrixSolveLs MatrixTriangularSolve MulNoNan Ndtri NextAfter
    NthElement ParallelConcat ParallelDynamicStitch Polygamma PopulationCount Qr RFFT2D RFFT3D
    ReverseSequence RightShift Rint Roll SegmentMax SegmentMaxV2 SegmentMean SegmentMin
    SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 SelfAdjointEigV2 Softsign
    SpaceToBatch SpaceToDepth SparseConcat SparseMatMul SparseReduceSum SparseReorder
    SparseSegmentSqrtN SparseSlice SparseSoftmax SparseTensorDenseMatMul StridedSliceAssign Svd
    TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorStridedSliceUpdate
    TopK TruncateDiv TruncateMod UniqueWithCounts UniqueWithCountsV2 UnravelIndex
    UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum Xdivy Xlog1py
    Xlogy Zeta
    """
)
"""Arithmetic and shapes that TF.js lacks. If the network needs one, the converter reports it."""

_LAYERS = _named(
    """
    BatchNormWithGlobalNormalization BiasAddV1 Conv Conv2DBackpropInputV2 Conv3DBackpropInputV2
    CudnnRNN CudnnRNNV2 CudnnRNNV3 Dequantize FakeQuantWithMinMaxArgs
    FakeQuantWithMinMaxVarsPerChannel FractionalAvgPool FractionalMaxPool FusedPadConv2D
    FusedResizeAndPadConv2D MaxPoolV2 QuantizeAndDequantize QuantizeAndDequantizeV2
    QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 SoftmaxCrossEntropyWithLogits
    SparseSoftmaxCrossEntropyWithLogits
    """
)
"""Layers and losses that TF.js has in another form, or lacks."""

_PICTURES = _named(
    """
    AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression
    DecodeAndCropJpeg DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeRaw
    EncodeBase64 EncodeJpeg EncodePng ExtractGlimpse ExtractGlimpseV2 ExtractJpegShape HSVToRGB
    ImageProjectiveTransformV2 NonMaxSuppression NonMaxSuppressionWithOverlaps RGBToHSV RandomCrop
    ResizeArea ResizeBicubic SampleDistortedBoundingBox SampleDistortedBoundingBoxV2
    ScaleAndTranslate StatelessSampleDistortedBoundingBox
    """
)
"""Augmentation layers, and decoding of pictures in signatures that are not used."""

_TEXTS = _named(
    """
    AsString ParseExample ParseExampleV2 ParseSingleExample ReduceJoin RegexFullMatch RegexReplace
    StaticRegexFullMatch StringFormat StringJoin StringLength StringLower StringSplitV2
    StringStrip StringToHashBucket StringToHashBucketStrong StringToNumber StringUpper Substr
    """
)
"""Labels as texts, and parsing of examples in signatures that are not used."""

_RANDOM = _named(
    """
    NonDeterministicInts ParameterizedTruncatedNormal RandomGamma RandomIndexShuffle
    RandomPoissonV2 RandomShuffle RngReadAndSkip RngSkip StatefulRandomBinomial
    StatefulStandardNormal StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform
    StatefulUniformFullInt StatefulUniformInt StatelessMultinomial
    StatelessParameterizedTruncatedNormal StatelessRandomBinomial StatelessRandomGammaV2
    StatelessRandomGammaV3 StatelessRandomGetAlg StatelessRandomGetKeyCounter
    StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
    StatelessRandomPoisson StatelessRandomUniform StatelessRandomUniformFullInt
    StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
    StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal StatelessTruncatedNormalV2
    """
)
"""Dropout, augmentation, and initial values of variables."""

_GRADIENTS = _named(
    """
    AvgPool3DGrad AvgPoolGrad BatchNormWithGlobalNormalizationGrad BiasAddGrad CholeskyGrad
    Conv2DBackpropFilter Conv2DBackpropFilterV2 Conv3DBackpropFilter Conv3DBackpropFilterV2
    Conv3DBackpropInput CropAndResizeGradBoxes CropAndResizeGradImage CudnnRNNBackprop
    CudnnRNNBackpropV2 CudnnRNNBackpropV3 DepthwiseConv2dNativeBackpropFilter
    DepthwiseConv2dNativeBackpropInput Dilation2DBackpropFilter Dilation2DBackpropInput EluGrad
    FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVarsGradient
    FakeQuantWithMinMaxVarsPerChannelGradient FractionalAvgPoolGrad FractionalMaxPoolGrad
    FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3 IgammaGradA InvGrad LRNGrad
    LeakyReluGrad MaxPool3DGrad MaxPool3DGradGrad MaxPoolGrad MaxPoolGradGrad MaxPoolGradGradV2
    MaxPoolGradGradWithArgmax MaxPoolGradV2 MaxPoolGradWithArgmax MirrorPadGrad
    QuantizeAndDequantizeV4Grad RandomGammaGrad ReciprocalGrad Relu6Grad ReluGrad
    ResizeBicubicGrad ResizeBilinearGrad ResizeNearestNeighborGrad RsqrtGrad ScaleAndTranslateGrad
    SeluGrad SigmoidGrad SoftplusGrad SoftsignGrad SparseAddGrad SparseFillEmptyRowsGrad
    SparseSegmentMeanGrad SparseSegmentSqrtNGrad SparseSegmentSumGrad SparseSliceGrad SqrtGrad
    StridedSliceGrad TanhGrad TensorArrayGradV3 TensorArrayGradWithShape TileGrad
    """
)
"""Gradients, in training functions that were saved with the model."""

_TRAINING = _named(
    """
    ApplyAdaMax ApplyAdadelta ApplyAdagrad ApplyAdagradDA ApplyAdagradV2 ApplyAdam ApplyAddSign
    ApplyCenteredRMSProp ApplyFtrl ApplyFtrlV2 ApplyGradientDescent ApplyMomentum ApplyPowerSign
    ApplyProximalAdagrad ApplyProximalGradientDescent ApplyRMSProp CountUpTo ResourceApplyAdaMax
    ResourceApplyAdadelta ResourceApplyAdagrad ResourceApplyAdagradDA ResourceApplyAdagradV2
    ResourceApplyAdam ResourceApplyAdamWithAmsgrad ResourceApplyAddSign
    ResourceApplyCenteredRMSProp ResourceApplyFtrl ResourceApplyFtrlV2
    ResourceApplyGradientDescent ResourceApplyKerasMomentum ResourceApplyMomentum
    ResourceApplyPowerSign ResourceApplyProximalAdagrad ResourceApplyProximalGradientDescent
    ResourceApplyRMSProp ResourceCountUpTo ResourceScatterAdd ResourceScatterDiv
    ResourceScatterMax ResourceScatterMin ResourceScatterMul ResourceScatterNdAdd
    ResourceScatterNdMax ResourceScatterNdMin ResourceScatterNdSub ResourceScatterNdUpdate
    ResourceScatterSub ResourceScatterUpdate ResourceSparseApplyAdadelta
    ResourceSparseApplyAdagrad ResourceSparseApplyAdagradDA ResourceSparseApplyAdagradV2
    ResourceSparseApplyCenteredRMSProp ResourceSparseApplyFtrl ResourceSparseApplyFtrlV2
    ResourceSparseApplyKerasMomentum ResourceSparseApplyMomentum
    ResourceSparseApplyProximalAdagrad ResourceSparseApplyProximalGradientDescent
    ResourceSparseApplyRMSProp ResourceStridedSliceAssign ScatterAdd ScatterDiv ScatterMax
    ScatterMin ScatterMul ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdNonAliasingAdd
    ScatterNdSub ScatterNdUpdate ScatterSub ScatterUpdate SparseApplyAdadelta SparseApplyAdagrad
    SparseApplyAdagradDA SparseApplyAdagradV2 SparseApplyCenteredRMSProp SparseApplyFtrl
    SparseApplyFtrlV2 SparseApplyMomentum SparseApplyProximalAdagrad
    SparseApplyProximalGradientDescent SparseApplyRMSProp
    """
)
"""Steps of optimizers, in training functions that were saved with the model."""

COMPUTING = (
    CONVERTER
    | _VARIABLES
    | _TABLES
    | _CONTROL
    | _MATHS
    | _LAYERS
    | _PICTURES
    | _TEXTS
    | _RANDOM
    | _GRADIENTS
    | _TRAINING
)
"""The operations that are allowed anywhere in a model."""

RESTORING = _named(
    """
    Restore RestoreSlice RestoreV2 ShardedFilename
    """
)
"""Further operations that a saver uses to read the weights."""

SAVING = _named(
    """
    MergeV2Checkpoints Save SaveSlices SaveV2 ShardedFilespec
    """
)
"""Further operations that a saver uses to write the weights. This tool never calls them."""

NEVER_RUN = _named(
    """
    ScalarSummary HistogramSummary ImageSummary AudioSummary MergeSummary TensorSummary
    TensorSummaryV2 FIFOQueue FIFOQueueV2 RandomShuffleQueue RandomShuffleQueueV2 QueueClose
    QueueCloseV2 QueueDequeue QueueDequeueV2 QueueDequeueMany QueueDequeueManyV2 QueueDequeueUpTo
    QueueDequeueUpToV2 QueueEnqueue QueueEnqueueV2 QueueEnqueueMany QueueEnqueueManyV2 QueueSize
    QueueSizeV2
    """
)
"""Leftovers of training in graphs of TensorFlow 1; allowed only if nothing that runs needs them."""
